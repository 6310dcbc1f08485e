import type { Clock } from '../../../core/clock.ts';
import type { ObtainedIdentity } from '../../../core/identity/index.ts';
import type { Log } from '../../../core/log.ts';
import { principalOf } from '../../../core/model/index.ts';
import { FlowRecorder } from '../../../core/telemetry/index.ts';
import { FlowReporter } from './flow-reporter.ts';
import { FlowSink } from './flow-sink.ts';

export interface FlowsOptions {
  readonly role: 'agent' | 'gateway';
  readonly identity: ObtainedIdentity;
  readonly instance: string;
  /** Requests and connections that nobody counted. */
  readonly lost?: () => number;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

export interface Flows {
  /** For the context of data planes. */
  readonly sink: FlowSink;
  /** Reports until the signal aborts, and then what is left. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** Counting for a proxy of ours, and reporting it where its identity comes from. */
export function openFlows({ role, identity, instance, lost, clock, random, log }: FlowsOptions): Flows {
  const recorder = new FlowRecorder();
  const addresses = () => identity.token.addresses;
  const reporter = new FlowReporter({ recorder, identity, addresses, instance, lost, clock, random, log });
  const own = () => {
    const { spiffeId, cluster } = identity.current();
    return { principal: principalOf(spiffeId), cluster };
  };
  return { sink: new FlowSink(recorder, role, own), run: (signal) => reporter.run(signal) };
}
