import { z } from 'zod';
import type { GatewayServer, GatewaySpec } from '../../../../core/config/index.ts';
import { isDnsLabel } from '../../../../core/model/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across, listOf, present, type Report, type Written } from '../across.ts';
import { refused } from '../refused.ts';
import { type IstioProtocol, protocol } from './protocol.ts';
import { serverTls, toServerTls } from './server-tls.ts';
import { hostFault, labels, portNumber } from './values.ts';

/** HOST or NAMESPACE/HOST; the namespace may be `.` or `*`. */
const serverHost = z.string().superRefine((text, ctx) => {
  const parts = text.split('/');
  const [namespace, name = ''] = parts.length === 1 ? [undefined, parts[0]] : parts;
  const fits = parts.length <= 2 && (namespace === undefined || namespace === '.' || namespace === '*' || isDnsLabel(namespace));
  const fault = fits ? hostFault(name) : 'must be HOST or NAMESPACE/HOST; for the namespace . is its own and * is any';
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

const port = fields({
  number: portNumber,
  name: z.string().min(1, { error: 'must not be empty' }),
  protocol,
  targetPort: refused('gateways listen on number itself'),
});

const server = across(
  fields({
    port,
    name: z.string().default(''),
    hosts: z.array(serverHost).min(1, { error: 'must name at least one host; * for any' }),
    tls: serverTls.optional(),
    bind: refused('the addresses that a gateway listens on are in its own file'),
    defaultEndpoint: refused('where requests go is said by VirtualServices that are bound to this Gateway'),
  }),
  checkProtocol,
);

/** TLS where the protocol says so, and nowhere else. */
function checkProtocol(value: Written, report: Report): void {
  const { tls } = value;
  const said = (value['port'] as Written | null | undefined)?.['protocol'];
  const mode = typeof tls === 'object' && tls !== null ? (tls as Written)['mode'] : undefined;
  const secure = said === 'HTTPS' || said === 'TLS';
  if (secure && tls === undefined) report(['tls'], `is required with protocol ${said}`);
  if (secure && tls !== undefined && mode === undefined) report(['tls', 'mode'], `is required with protocol ${said}`);
  if (secure && present(tls, ['httpsRedirect']).length > 0 && (tls as Written)['httpsRedirect'] === true) {
    report(['tls', 'httpsRedirect'], 'is for a server of plain HTTP');
  }
  if (secure || typeof said !== 'string') return;
  if (mode !== undefined) report(['tls', 'mode'], `means nothing with protocol ${said}: write HTTPS, or TLS for anything but HTTP`);
  if (said === 'TCP' && present(tls, ['httpsRedirect']).length > 0) report(['tls', 'httpsRedirect'], 'is for a server of plain HTTP');
}

/** Istio's Gateway. */
export const gatewaySchema = across(fields({ selector: labels.default({}), servers: z.array(server).default([]) }), (value, report) => {
  const ports = listOf(value['servers']).map((each) => ((each as Written | null)?.['port'] ?? {}) as Written);
  ports.forEach((each, i) => {
    const first = ports.findIndex((other) => other['name'] === each['name']);
    if (first < i && typeof each['name'] === 'string') report(['servers', i, 'port', 'name'], `is there already, in servers[${first}]`);
  });
  ports.forEach((each, i) => {
    const first = ports.findIndex((other) => other['number'] === each['number'] && plain(other) !== plain(each));
    if (first >= 0 && first < i && typeof each['number'] === 'number') {
      report(
        ['servers', i, 'port', 'protocol'],
        `does not go with servers[${first}], on the same port: one is with TLS and the other without`,
      );
    }
  });
});

function plain(each: Written): boolean {
  return each['protocol'] !== 'HTTPS' && each['protocol'] !== 'TLS';
}

export function toGateway(spec: z.output<typeof gatewaySchema>, { createdAt }: SpecContext): GatewaySpec {
  return { origin: 'istio', selector: spec.selector, servers: spec.servers.map(toServer), createdAt };
}

function toServer(written: z.output<typeof server>): GatewayServer {
  const { tls } = written;
  const mode = tls?.mode;
  return {
    name: written.name,
    port: written.port.number,
    protocol: protocolOf(written.port.protocol, mode === 'PASSTHROUGH'),
    hosts: written.hosts,
    ...(tls === undefined || mode === undefined ? {} : { tls: toServerTls(tls) }),
    httpsRedirect: tls?.httpsRedirect ?? false,
    routeNamespaces: ['*'],
    routeKinds: [],
  };
}

function protocolOf(said: IstioProtocol, passthrough: boolean): GatewayServer['protocol'] {
  if (said === 'TLS' || (said === 'HTTPS' && passthrough)) return 'tls';
  if (said === 'HTTPS') return 'https';
  return said === 'TCP' || said === 'MONGO' ? 'tcp' : 'http';
}
