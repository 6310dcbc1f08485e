import { type AdapterDeps, type RegistryEvent, type RegistrySource, reportOnChange, runSource } from '../../core/registry/index.ts';
import { NomadClient } from './client.ts';
import { defaultTuning, type NomadSpec, type NomadTuning } from './config.ts';
import type { NativeService } from './state.ts';
import { NomadFollower } from './watch.ts';

/** Follows Nomad's native services in one region, in one namespace or all. Opens nothing until it is watched. */
export function createNomadSource(spec: NomadSpec, deps: AdapterDeps, tuning: Partial<NomadTuning> = {}): RegistrySource {
  const full = { ...defaultTuning, ...tuning };
  const firstSeen = new Map<NativeService, number>();
  return {
    id: deps.id,
    watch: (signal) => watch(spec, deps, full, firstSeen, signal),
  };
}

async function* watch(
  spec: NomadSpec,
  deps: AdapterDeps,
  tuning: NomadTuning,
  firstSeen: Map<NativeService, number>,
  signal: AbortSignal,
): AsyncIterable<RegistryEvent> {
  const client = new NomadClient(spec.connection, tuning, deps.clock);
  const { clock, random, log, id } = deps;
  const report = reportOnChange(deps);
  const onFailure = (error: Error & { code: string }) => log.warn({ source: id, code: error.code }, error.message);
  try {
    yield* runSource(
      async (emit, inner) => {
        try {
          await new NomadFollower({ client, spec, tuning, deps, firstSeen, report }, emit).run(inner);
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
