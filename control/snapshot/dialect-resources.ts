import { networkId } from '../../core/model/index.ts';
import type { ClientClass as Client, ResourceSource, ResourceView } from '../../core/xds/index.ts';
import { ClientView, type Standing } from './client-view.ts';
import type { Dialect, DialectContext } from './dialect.ts';
import { DialectView } from './dialect-view.ts';
import type { SnapshotBuilder } from './inputs.ts';
import type { ClientClass, Snapshot } from './ir.ts';
import { visibleServices } from './visible-services.ts';

/** Of the builder, with subscribers, of any dialect. */
const mostClasses = 512;

/** Serves what a SnapshotBuilder makes, in every dialect. `publish` says that the builder was updated. */
export class DialectResources implements ResourceSource {
  readonly #builder: SnapshotBuilder;
  readonly #dialects: ReadonlyMap<string, Dialect>;
  /** Those with subscribers: a class that nobody listens to is neither kept nor built. */
  readonly #active = new Map<string, DialectView>();
  /** How many of them follow each class of the builder: a class may be told in several dialects. */
  readonly #following = new Map<string, number>();
  /** Those that somebody listens to. */
  readonly #clients = new Set<ClientView>();
  #ready = false;

  constructor(builder: SnapshotBuilder, dialects: readonly Dialect[]) {
    this.#builder = builder;
    this.#dialects = new Map(dialects.map((dialect) => [dialect.name, dialect]));
  }

  view(client: Client): ResourceView {
    const dialect = this.#dialects.get(client.dialect);
    if (dialect === undefined) throw new TypeError(`no dialect ${client.dialect}`);
    const view: ClientView = new ClientView(
      () => this.#stand(dialect, client),
      dialect,
      client,
      (active) => void (active ? this.#clients.add(view) : this.#clients.delete(view)),
    );
    return view;
  }

  /** After each `builder.update`. Before the first one, views have nothing: unknown is never served as empty. */
  publish(): void {
    this.#ready = true;
    for (const view of [...this.#active.values()]) view.refresh();
    for (const client of [...this.#clients]) client.follow();
  }

  /** What the rules in force make of a client. */
  #stand(dialect: Dialect, client: Client): Standing {
    const inputs = this.#ready ? this.#builder.inputs() : undefined;
    const workload = { namespace: client.identity.namespace, labels: client.labels };
    const egress = client.kind === 'agent' ? inputs?.traffic.clients.egress(workload) : undefined;
    // Proxyless gRPC writes what its application wants.
    const logging = dialect.name === 'grpc' ? undefined : inputs?.traffic.clients.logging(workload);
    return {
      ...this.#classFor(dialect, client, logging),
      visible: inputs === undefined || egress === undefined ? undefined : visibleServices(egress, inputs),
    };
  }

  #classFor(dialect: Dialect, client: Client, logging: DialectContext['logging']): Pick<Standing, 'classId' | 'classView'> {
    const anchors = dialect.name === 'grpc' ? client.claims.anchors : [];
    const wanted = this.#classOf(client, this.#namespaceOf(dialect, client));
    const listen = dialect.name === 'envoy' && client.kind === 'gateway' ? listenOf(client) : undefined;
    const id = `${dialect.name} ${idOf(wanted)} ${anchors.join()} ${listen?.address} ${listen?.port} ${listen?.originate} ${JSON.stringify(logging)}`;
    const classView = () =>
      this.#active.get(id) ??
      this.#newClass(id, dialect, { client: wanted, anchors, logging, ...(listen === undefined ? {} : { listen }) });
    return { classId: id, classView };
  }

  #newClass(id: string, dialect: Dialect, of: Pick<DialectContext, 'client' | 'anchors' | 'listen' | 'logging'>): DialectView {
    const { client: wanted } = of;
    let context: DialectContext | undefined;
    const take = (): { snapshot: Snapshot; context: DialectContext } | undefined => {
      const inputs = this.#ready ? this.#builder.inputs() : undefined;
      if (inputs === undefined) return undefined;
      const { hostSuffix, view, trust } = inputs;
      const same = context?.hostSuffix === hostSuffix && context.trustDomain === trust.trustDomain && context.cluster === view.cluster;
      if (context === undefined || !same) {
        const trustDomain = trust.trustDomain;
        context = { ...of, hostSuffix, trustDomain, cluster: view.cluster };
      }
      return { snapshot: this.#builder.snapshot(wanted), context };
    };
    const view: DialectView = new DialectView(dialect, take, (active) => {
      if (active) this.#active.set(id, view);
      else if (this.#active.get(id) === view) this.#active.delete(id);
      this.#follow(wanted, active);
    });
    return view;
  }

  /**
   * Clients say freely where they are and what they are labelled, and each class is a snapshot of its own. Past `mostClasses`, those
   * that would need one more are served as if they had said nothing of it, until others have gone.
   */
  #classOf({ kind, network, locality, labels, claims }: Client, namespace: string | undefined): ClientClass {
    // An ingress gateway that says itself what it serves is a caller like an agent; the others serve what Gateways ask of them.
    const served = kind === 'ingress' && claims.http.length > 0 ? 'agent' : kind;
    const general = { kind: served, network: networkId(network), ...(namespace === undefined ? {} : { namespace }) };
    const near = locality === '' ? general : { ...general, locality };
    const exact: ClientClass = served === 'ingress' ? { ...near, labels } : near;
    return this.#following.has(idOf(exact)) || this.#following.size < mostClasses ? exact : general;
  }

  /** Where its own decides how it calls: that is of its certificate, nothing that a client may say. Proxyless gRPC has no such rules. */
  #namespaceOf(dialect: Dialect, { identity: { namespace } }: Client): string | undefined {
    const traffic = this.#ready ? this.#builder.inputs()?.traffic : undefined;
    return dialect.name !== 'grpc' && traffic?.differsFor(namespace) === true ? namespace : undefined;
  }

  /** A class with a namespace keeps the one without, of which it is made. */
  #follow(client: ClientClass, active: boolean): void {
    const { namespace, ...general } = client;
    this.#count(client, active);
    if (namespace !== undefined) this.#count(general, active);
  }

  #count(client: ClientClass, active: boolean): void {
    const id = idOf(client);
    const count = (this.#following.get(id) ?? 0) + (active ? 1 : -1);
    if (count > 0) {
      this.#following.set(id, count);
      return;
    }
    this.#following.delete(id);
    this.#builder.release(client);
  }
}

function idOf({ kind, network, locality = '', namespace = '', labels = {} }: ClientClass): string {
  return JSON.stringify([kind, network, locality, namespace, Object.entries(labels).sort()]);
}

/** 15443 is Istio's port for traffic between networks. */
function listenOf({ claims }: Client): NonNullable<DialectContext['listen']> {
  const { address, port, originate = address } = claims.inbound ?? { address: '0.0.0.0', port: 15_443 };
  return { address, port, originate };
}
