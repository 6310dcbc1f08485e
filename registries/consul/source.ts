import { type AdapterDeps, type RegistryEvent, type RegistrySource, reportOnChange, runSource } from '../../core/registry/index.ts';
import { ConsulClient } from './client.ts';
import { type ConsulSpec, type ConsulTuning, defaultTuning } from './config.ts';
import { ConsulFollower } from './watch.ts';

/** Follows one Consul datacenter (and namespace and partition, where set). Opens nothing until it is watched. */
export function createConsulSource(spec: ConsulSpec, deps: AdapterDeps, tuning: Partial<ConsulTuning> = {}): RegistrySource {
  const full = { ...defaultTuning, ...tuning };
  const firstSeen = new Map<string, number>();
  return {
    id: deps.id,
    watch: (signal) => watch(spec, deps, full, firstSeen, signal),
  };
}

async function* watch(
  spec: ConsulSpec,
  deps: AdapterDeps,
  tuning: ConsulTuning,
  firstSeen: Map<string, number>,
  signal: AbortSignal,
): AsyncIterable<RegistryEvent> {
  const client = new ConsulClient(spec.connection, tuning, deps.clock);
  const { clock, random, log, id } = deps;
  const report = reportOnChange(deps);
  const onFailure = (error: Error & { code: string }) => log.warn({ source: id, code: error.code }, error.message);
  try {
    yield* runSource(
      async (emit, inner) => {
        try {
          await new ConsulFollower({ client, rules: spec.rules, tuning, deps, firstSeen, report }, emit).run(inner);
        } finally {
          // New connections for the next try: another server behind the name, or certificates that were rotated.
          await client.reset();
        }
      },
      { clock, random, onFailure, backoff: tuning.backoff },
      signal,
    );
  } finally {
    await client.reset();
  }
}
