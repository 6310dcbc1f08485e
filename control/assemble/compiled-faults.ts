import type { CompiledFaults } from '../objects/index.ts';
import { createTrafficCompiler, type Finding, refusedByProxies } from '../routing/index.ts';
import { compiledCheck, type SnapshotInputs } from '../snapshot/index.ts';
import { trafficObjectsOf } from './config-objects.ts';

/** Compiles beside what is served, and keeps what it compiled: a change costs what it touches. `inputs`: as served now. */
export function compiledFaults(hostSuffix: string, inputs: () => SnapshotInputs): CompiledFaults {
  const compiler = createTrafficCompiler({ hostSuffix, check: compiledCheck });
  return (now, then) => {
    const { view } = inputs();
    const before = new Set(refusedOf(compiler.update(trafficObjectsOf(now), view).findings).map(idOf));
    return refusedOf(compiler.update(trafficObjectsOf(then), view, new Set()).findings).filter((each) => !before.has(idOf(each)));
  };
}

function refusedOf(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter((each) => each.code === refusedByProxies);
}

function idOf({ object, path, message }: Finding): string {
  return JSON.stringify([object, path, message]);
}
