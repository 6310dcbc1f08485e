import { z } from 'zod';
import type { GatewayServer, GatewaySpec } from '../../../../core/config/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across, listOf, type Report, type Written } from '../across.ts';
import { portNumber } from '../istio/values.ts';
import { noted, refused } from '../refused.ts';
import { allowedRoutes, checkKinds, toRouteNamespaces } from './allowed-routes.ts';
import { checkTls, listenerTls, toListenerTls } from './listener-tls.ts';
import { hostname, reportRepeats, sectionName } from './values.ts';

/** The GatewayClass of the ingress gateways here. */
const gatewayClass = 'isthmus';

/** GEP-1762: what belongs to a Gateway carries its name in this label. */
const gatewayNameLabel = 'gateway.networking.k8s.io/gateway-name';

const protocols = ['HTTP', 'HTTPS', 'TLS', 'TCP'] as const;

const protocol = noted(
  z.string().transform((text, ctx) => {
    const known = protocols.find((each) => each === text);
    if (known !== undefined) return known;
    const said = JSON.stringify(text.slice(0, 40));
    const message =
      text === 'UDP' ? 'UDP is not supported, and is never ignored: proxies here carry TCP' : `${said} is none of ${protocols.join(', ')}`;
    ctx.addIssue({ code: 'custom', message });
    return z.NEVER;
  }),
  `${protocols.join(', ')}; UDP is refused`,
);

const listener = across(
  fields({
    name: sectionName,
    hostname: hostname.optional(),
    port: portNumber,
    protocol,
    tls: listenerTls.optional(),
    allowedRoutes: allowedRoutes.optional(),
  }),
  (value, report) => {
    if ((value['protocol'] === 'TCP' || value['protocol'] === 'UDP') && value['hostname'] !== undefined)
      report(['hostname'], `means nothing with protocol ${value['protocol']}: bytes name no host`);
    checkTls(value, report);
    checkKinds(value, report);
  },
);

const elsewhere = 'certificates come from files on the machine of the gateway: options of a listener name them';

/** The Gateway API's Gateway. */
export const gatewaySchema = across(
  fields({
    gatewayClassName: noted(
      z.string().refine((name) => name === gatewayClass, {
        error: `must be ${gatewayClass}: a Gateway of another class belongs to another controller`,
      }),
      `${gatewayClass} alone; what it holds for are ingress gateways with the label ${gatewayNameLabel}, its name`,
    ),
    listeners: z.array(listener).min(1, { error: 'must hold at least one listener' }).max(64, { error: 'holds more than 64' }),
    addresses: refused('the addresses that a gateway listens on are in its own file'),
    infrastructure: refused('nothing is created for a Gateway: ingress gateways are installed, and labelled, by their operators'),
    allowedListeners: refused('there are no ListenerSets: write the listeners here'),
    defaultScope: refused('routes name their Gateways in parentRefs'),
    tls: fields({
      frontend: refused(`${elsewhere}, that of the clients' CA too`),
      backend: refused('to services of the mesh there is its own mTLS; for others write tls in a DestinationRule'),
    }).optional(),
  }),
  checkListeners,
);

function checkListeners(value: Written, report: Report): void {
  reportRepeats(value['listeners'], (each) => each['name'], report, ['listeners'], 'name');
  const list = listOf(value['listeners']).map((each) => (typeof each === 'object' && each !== null ? (each as Written) : {}));
  list.forEach((each, i) => {
    const same = list.slice(0, i).findIndex((other) => other['port'] === each['port'] && typeof each['port'] === 'number');
    const first = list[same];
    if (first === undefined) return;
    if (family(first) !== family(each)) {
      report(['listeners', i, 'protocol'], `does not go with listeners[${same}], on the same port: one is with TLS and the other without`);
    } else if (list.slice(0, i).some((other) => other['port'] === each['port'] && host(other) === host(each))) {
      report(['listeners', i], `is for the same port and host as another: ${host(each) || 'any host'}`);
    }
  });
}

function family({ protocol: said }: Written): string {
  return said === 'HTTPS' || said === 'TLS' ? 'tls' : String(said);
}

function host({ hostname: said }: Written): string {
  return typeof said === 'string' ? said : '';
}

export function toGateway(spec: z.output<typeof gatewaySchema>, { name, namespace, createdAt }: SpecContext): GatewaySpec {
  return {
    origin: 'gateway-api',
    selector: { [gatewayNameLabel]: name },
    servers: spec.listeners.map((each) => toServer(each, namespace)),
    createdAt,
  };
}

const ofProtocol = { HTTP: 'http', HTTPS: 'https', TLS: 'tls', TCP: 'tcp' } as const;

function toServer(written: z.output<typeof listener>, namespace: string): GatewayServer {
  return {
    name: written.name,
    port: written.port,
    protocol: ofProtocol[written.protocol],
    hosts: [written.hostname ?? '*'],
    ...(written.tls === undefined ? {} : { tls: toListenerTls(written.tls) }),
    httpsRedirect: false,
    routeNamespaces: toRouteNamespaces(written.allowedRoutes?.namespaces, namespace),
    routeKinds: (written.allowedRoutes?.kinds ?? []).map((each) => each.kind),
  };
}
