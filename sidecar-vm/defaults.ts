import { Registry } from 'prom-client';
import { ownListeners } from '../core/listeners/index.ts';
import { systemClock } from '../core/system-clock.ts';
import { createAccessLog } from '../gateway/index.ts';
import { createAgentLog } from './agent-log.ts';
import type { AgentDeps } from './contract.ts';
import { addressTowards } from './own-address/index.ts';

export function withDefaults(options: { readonly instance: string }, deps: AgentDeps): Required<AgentDeps> {
  return {
    clock: deps.clock ?? systemClock,
    random: deps.random ?? Math.random,
    log: deps.log ?? createAgentLog(options.instance),
    accessLog: deps.accessLog ?? createAccessLog(options.instance),
    metrics: deps.metrics ?? new Registry(),
    listeners: deps.listeners ?? ownListeners,
    addressTowards: deps.addressTowards ?? addressTowards,
  };
}
