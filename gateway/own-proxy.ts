import type { ObtainedIdentity } from '../core/identity/index.ts';
import type { ListenerKeeper } from '../core/listeners/index.ts';
import type { ListenAddress } from './admin/index.ts';
import type { GatewayDeps } from './contract.ts';
import { DataPlane } from './data-plane.ts';
import type { EngineListenerSpec } from './engine/index.ts';
import { KeptListeners } from './inbound/kept-listeners.ts';
import { originateListeners } from './inbound/originate-listeners.ts';
import { Ingress } from './ingress/ingress.ts';
import { guardMemory } from './memory-guard.ts';
import type { GatewayOptions } from './options.ts';
import type { StateFeed } from './state/index.ts';
import { gatewayRules } from './tables.ts';
import { openFlows } from './telemetry/flows/index.ts';
import { troubleTeller } from './telemetry/tell-trouble.ts';
import { holdTunnels } from './tunnel/hold-tunnels.ts';
import type { TunnelHub } from './tunnel/hub.ts';

export interface OwnProxyContext {
  readonly options: GatewayOptions;
  readonly deps: Required<GatewayDeps>;
  readonly identity: ObtainedIdentity;
  readonly feed: StateFeed;
  /** Who keeps its listening sockets, if anybody does. */
  readonly listeners: ListenerKeeper | undefined;
  /** Ends every loop. */
  readonly signal: AbortSignal;
  /** Nothing new is to open. */
  readonly draining: () => boolean;
  /** Takes a task over that ends with `signal`. */
  readonly run: (task: Promise<void>) => void;
}

/** What an east-west gateway, or one of ingress, is made of where our own proxy carries the traffic. */
export class OwnProxy {
  readonly plane: DataPlane;
  /** Of an east-west gateway. */
  readonly originate: KeptListeners | undefined;
  /** Of an ingress gateway. */
  readonly ingress: Ingress | undefined;
  /** Of an east-west gateway: those that it holds. */
  readonly tunnels: TunnelHub | undefined;
  readonly #context: OwnProxyContext;

  constructor(context: OwnProxyContext) {
    this.#context = context;
    const { options, deps, identity, feed } = context;
    const { clock, log } = deps;
    const listen: DataPlane['listen'] = (spec) => this.plane.listen(spec);
    if (options.kind === 'ingress') {
      const refresh = () => this.plane.refresh();
      this.ingress = new Ingress({ address: options.ingressAddress, ...this.#acceptProxy(), clock, log, listen, refresh });
    } else {
      this.originate = new KeptListeners({ listen, log });
      this.tunnels = holdTunnels(feed.store, clock, log, context.signal);
      context.run(this.tunnels.run(context.signal));
    }
    const threads = options.engineThreads === undefined ? {} : { engineThreads: options.engineThreads };
    const onTrouble = troubleTeller(log, deps.metrics);
    const memory = guardMemory(clock, log, onTrouble);
    const node = { cluster: identity.current().cluster, instance: options.instance, labels: options.labels };
    // Of ingress the mesh sees a caller like any other, with an identity of its own.
    const role = options.kind === 'ingress' ? 'agent' : 'gateway';
    const flows = openFlows({ role, identity, instance: options.instance, clock, random: deps.random, log });
    context.run(flows.run(context.signal));
    const kept = context.listeners === undefined ? {} : { listeners: context.listeners };
    const tunnels = this.tunnels === undefined ? {} : { tunnels: this.tunnels };
    this.plane = new DataPlane(
      {
        ...deps,
        engine: options.engine,
        ...threads,
        onTrouble,
        memory,
        state: feed.store,
        identity,
        node,
        flows: flows.sink,
        ...kept,
        ...tunnels,
      },
      () => {
        const state = feed.store.current;
        return this.ingress?.rules(state) ?? gatewayRules(state, (key) => this.tunnels?.has(key) === true);
      },
    );
    this.tunnels?.subscribe(() => this.plane.refresh());
  }

  /** Where other networks come in; undefined of an ingress gateway. */
  async open(): Promise<ListenAddress | undefined> {
    const { options, deps, feed, signal, draining, run } = this.#context;
    const eastWest =
      this.ingress === undefined
        ? await this.plane.listen({ name: 'east-west', ...options.listen, kind: 'sni', ...this.#acceptProxy() })
        : undefined;
    await this.#apply();
    feed.store.subscribe(() => {
      if (!signal.aborted && !draining()) run(this.#apply());
    });
    if (this.ingress !== undefined) run(this.ingress.run(draining, signal));
    const specs = () => (draining() ? undefined : originateListeners(feed.store.current, options.originateAddress));
    if (this.originate !== undefined) run(this.originate.run(specs, deps.clock, signal));
    return eastWest;
  }

  #acceptProxy(): Pick<EngineListenerSpec, 'acceptProxy'> {
    const { acceptProxyFrom } = this.#context.options;
    return acceptProxyFrom.length === 0 ? {} : { acceptProxy: { trusted: acceptProxyFrom } };
  }

  async #apply(): Promise<void> {
    const { options, feed } = this.#context;
    await this.ingress?.apply(feed.store.current);
    await this.originate?.apply(originateListeners(feed.store.current, options.originateAddress));
  }
}
