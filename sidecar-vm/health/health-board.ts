import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { agent } from '../../core/xds/index.ts';
import { Nudge } from '../nudge.ts';
import type { AgentOptions } from '../options.ts';
import type { ProbeOptions } from './options.ts';
import type { Probe } from './probe.ts';
import { type HealthState, initialHealth } from './thresholds.ts';
import { type HealthCheck, watchHealth } from './watch-health.ts';

type ServiceOptions = AgentOptions['services'][number];

export interface ServiceVerdict {
  readonly namespace: string;
  readonly name: string;
  readonly state: HealthState;
}

export interface HealthBoardDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** A verdict has changed. */
  readonly onChange: () => void;
}

/** The health of this machine's services, each checked on its own. A service with several ports is as healthy as its worst. */
export class HealthBoard {
  readonly #deps: HealthBoardDeps;
  readonly #checks: readonly { readonly service: ServiceOptions; readonly nudge: Nudge; state: HealthState }[];

  constructor(services: readonly ServiceOptions[], deps: HealthBoardDeps) {
    this.#deps = deps;
    this.#checks = services.map((service) => ({ service, nudge: new Nudge(), state: initialHealth }));
  }

  verdicts(): readonly ServiceVerdict[] {
    const byService = new Map<string, ServiceVerdict>();
    for (const { service, state } of this.#checks) {
      const { namespace, name } = service;
      const known = byService.get(`${namespace}/${name}`);
      if (known === undefined || severity(state) > severity(known.state)) byService.set(`${namespace}/${name}`, { namespace, name, state });
    }
    return [...byService.values()];
  }

  /** What the control plane is told. A service that was not checked yet is not mentioned: nothing is known of it. */
  report(draining: boolean): Omit<agent.Report, 'sockets'> {
    const known = this.verdicts().filter(({ state }) => state.verdict !== 'unknown');
    return {
      draining,
      services: known.map(({ namespace, name, state }) => ({
        namespace,
        name,
        healthy: state.verdict === 'healthy',
        reason: state.reason,
      })),
    };
  }

  /** Somebody could not reach this service's app: check it now. */
  suspect(namespace: string, name: string): void {
    for (const { service, nudge } of this.#checks) if (service.namespace === namespace && service.name === name) nudge.ask();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, onChange } = this.#deps;
    await Promise.all(
      this.#checks.map(async (check) => {
        const { namespace, name } = check.service;
        for await (const state of watchHealth(healthCheckOf(check.service), { clock, nudge: check.nudge }, signal)) {
          check.state = state;
          log.info({ service: `${namespace}/${name}`, health: state.verdict, reason: state.reason }, 'health changed');
          onChange();
        }
      }),
    );
  }
}

function severity(state: HealthState): number {
  return { healthy: 0, unknown: 1, unhealthy: 2 }[state.verdict];
}

function healthCheckOf(service: ServiceOptions): HealthCheck {
  const { probe, intervalMs, timeoutMs, healthy, unhealthy } = service.health;
  return { probe: targetOf(probe, service), intervalMs, timeoutMs, thresholds: { healthy, unhealthy } };
}

function targetOf(probe: ProbeOptions, { appAddress, appPort, proxyProtocol }: ServiceOptions): Probe {
  if (probe.kind === 'exec') return probe;
  // A port of its own is one for checks, which nobody else is told of.
  const at = { host: appAddress, port: probe.port ?? appPort, proxyProtocol: probe.port === undefined ? proxyProtocol : undefined };
  switch (probe.kind) {
    case 'http':
      return { kind: 'http', path: probe.path, statuses: probe.statuses, asHost: probe.host, ...at };
    case 'tcp':
      return { kind: 'tcp', ...at };
    case 'grpc':
      return { kind: 'grpc', service: probe.service, ...at };
  }
}
