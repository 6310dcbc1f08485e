import { clusterId } from '../../../core/model/index.ts';
import { exportingPolicies } from '../../catalog/index.ts';
import type { PreflightCheck } from './contract.ts';
import { type Scene, type Side, viewOfSide } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { listText } from './words.ts';

/** Nothing crosses a border until it is exported: every cluster that calls must be told of both sides. */
export function checkExports(scene: Scene): readonly PreflightCheck[] {
  const problems = [...imported(scene.to, scene), ...exported(scene), ...measured(scene)];
  const passed =
    callingClusters(scene).length === 0 ? 'nobody calls from another cluster' : 'every cluster that calls is told of both sides';
  return verdict('exports', passed, problems);
}

/** Other clusters that were seen to call it. */
function callingClusters({ facts, key }: Scene): readonly string[] {
  const clusters = (facts.calls ?? []).filter((c) => c.destination === key).map((c) => c.source.cluster);
  return [...new Set(clusters)].filter((c) => c !== facts.view.cluster && c !== '').sort();
}

function policyFor({ namespace, spec }: Scene, audience: string): string {
  return `an ExportPolicy in namespace ${namespace} with services: [${spec.service}], audience: [${audience}]`;
}

function imported(side: Side, scene: Scene): Problem[] {
  const { facts, key } = scene;
  if (side.local || side.contribution !== undefined || side.source === undefined) return [];
  // The check of names has the reason.
  if (facts.view.withheld.get(key)?.some((w) => w.cluster === side.cluster) === true) return [];
  const message = `${side.cluster} does not export ${key} of ${side.registry} to ${facts.view.cluster}, or has none`;
  return [fail(`${side.path}.cluster`, message, `in ${side.cluster}, deploy it and apply ${policyFor(scene, facts.view.cluster)}`)];
}

function exported(scene: Scene): Problem[] {
  const { facts, service, to, from, key } = scene;
  if (service === undefined) return [];
  const others = callingClusters(scene).filter((c) => c !== to.cluster);
  if (!to.local) {
    const unseen = others.filter((c) => c !== from.cluster);
    if (unseen.length === 0) return [];
    const message = `${listText(unseen)} ${unseen.length === 1 ? 'calls' : 'call'} ${key}, and whether ${to.cluster} exports it there cannot be seen from here`;
    return [warn('spec.to.cluster', message, `in ${to.cluster}, apply ${policyFor(scene, unseen.join(', '))}`)];
  }
  const then = to.endpoints.length === 0 ? service : (viewOfSide(facts.view, service, to).services.get(key) ?? service);
  const untold = others.filter((c) => exportingPolicies(then, clusterId(c), facts.exports).length === 0);
  if (untold.length === 0) return [];
  const told = untold.filter((c) => exportingPolicies(service, clusterId(c), facts.exports).length > 0);
  const why = told.length > 0 ? 'the policy that exports it selects labels of the old side alone' : 'no ExportPolicy selects it for them';
  const message = `callers in ${listText(untold)} would not see ${to.label}: ${why}`;
  return [fail('spec.to', message, `apply ${policyFor(scene, untold.join(', '))}`)];
}

/** Proxies report to their own control plane: what begins and ends in another cluster is not seen here. */
function measured(scene: Scene): Problem[] {
  const { facts, key, service, to } = scene;
  if (service === undefined) return [];
  const audience = facts.peers.map((p) => p.cluster).filter((c) => exportingPolicies(service, clusterId(c), facts.exports).length > 0);
  const beside = to.local ? [] : audience.filter((c) => c === to.cluster);
  const away = [...new Set([...callingClusters(scene), ...beside])].sort();
  if (away.length === 0) return [];
  const message = `callers in ${listText(away)} follow the weights, and what they call is measured here only where a proxy of this cluster serves it`;
  const fix = `see that enough of the traffic of ${key} comes by proxies of ${facts.view.cluster} for its gates, or run the Migration where most callers are`;
  return [warn('spec.gates', message, fix)];
}
