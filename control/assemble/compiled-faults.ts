import type { CompiledFaults } from '../objects/index.ts';
import { type CompiledCheck, createTrafficCompiler, type Finding, refusedByProxies } from '../routing/index.ts';
import { compiledCheck, type SnapshotInputs } from '../snapshot/index.ts';
import { trafficObjectsOf } from './config-objects.ts';

/**
 * Compiles beside what is served, and keeps what it compiled: a change costs what it touches, and the first one the whole mesh once.
 * `inputs`: as served now; what its model has been found to be is not looked for again.
 */
export function compiledFaults(hostSuffix: string, inputs: () => SnapshotInputs): CompiledFaults {
  let changing = false;
  const check: CompiledCheck = {
    routing: (routing) => (changing ? compiledCheck.routing(routing) : []),
    traffic: (traffic) => (changing ? compiledCheck.traffic(traffic) : []),
    listener: (listener) => (changing ? compiledCheck.listener(listener) : []),
  };
  const compiler = createTrafficCompiler({ hostSuffix, check });
  return (now, then) => {
    const { view, traffic } = inputs();
    const before = new Set(refusedOf(traffic.findings).map(idOf));
    changing = false;
    compiler.update(trafficObjectsOf(now), view);
    changing = true;
    return refusedOf(compiler.update(trafficObjectsOf(then), view, new Set()).findings).filter((each) => !before.has(idOf(each)));
  };
}

function refusedOf(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter((each) => each.code === refusedByProxies);
}

function idOf({ object, path, message }: Finding): string {
  return JSON.stringify([object, path, message]);
}
