import type { MigrationSpec } from '../../../core/config/index.ts';
import type { Violation } from '../../../core/validate.ts';
import { checkCapacity } from './capacity.ts';
import type { Preflight, PreflightCheck, PreflightFacts, PreflightRequest } from './contract.ts';
import { documentOf } from './document.ts';
import { checkDrain } from './drain.ts';
import { checkExports } from './exports.ts';
import { checkGates } from './gates.ts';
import { checkIdentity } from './identity.ts';
import { checkNames } from './names.ts';
import { checkNativeName } from './native-name.ts';
import { checkPace } from './pace.ts';
import { checkPermissions } from './permissions.ts';
import { checkPorts } from './ports.ts';
import { bareSpec, propose } from './propose.ts';
import { checkQueue } from './queue.ts';
import { checkReach } from './reach.ts';
import { checkRules } from './rules.ts';
import { type Scene, sceneOf } from './scene.ts';
import { checkService } from './service.ts';
import { checkSides } from './sides.ts';

type Check = (scene: Scene) => readonly PreflightCheck[];

/** What holds of the two sides, whatever the steps and gates are. */
const ofSides: readonly Check[] = [
  checkService,
  checkNames,
  checkPorts,
  checkIdentity,
  checkPermissions,
  checkExports,
  checkReach,
  checkCapacity,
  checkRules,
];
const ofCourse: readonly Check[] = [checkGates, checkPace, checkNativeName, checkDrain, checkQueue];

/**
 * What must hold before a service begins to move, everything at once, and the Migration that says how: the one that was given, or one that
 * is made from what was seen. Pure: it asks nobody and changes nothing, so that what it says holds for the moment of its facts. Never
 * throws; a request that makes no sense has violations.
 */
export function preflight(request: PreflightRequest, told: PreflightFacts): Preflight {
  const facts = isAnythingSeen(told) ? told : { ...told, seen: undefined };
  const { namespace } = request;
  const asked = request.spec ?? bareSpec(request);
  const name = request.name ?? nameFor(asked, facts.view.cluster);
  const first = sceneOf(facts, namespace, name, asked);
  const proposal = request.spec === undefined ? propose(first) : { spec: request.spec, because: [] };
  const scene = request.spec === undefined ? sceneOf(facts, namespace, name, proposal.spec) : first;
  const sides = checkSides(scene);
  // One place twice, or none, makes nonsense of everything that is said of two.
  const same = scene.from.cluster === scene.to.cluster && scene.from.registry === scene.to.registry;
  const checks = [...sides, ...(same ? [] : ofSides.flatMap((check) => check(scene))), ...ofCourse.flatMap((check) => check(scene))];
  return {
    checks,
    violations: checks.filter((c) => c.ok === 'fail').map(violationOf),
    name,
    spec: proposal.spec,
    document: documentOf(namespace, name, proposal.spec, proposal.because),
  };
}

function isAnythingSeen({ seen }: PreflightFacts): boolean {
  return seen !== undefined && seen.seconds > 0 && seen.requests + seen.connections > 0;
}

function violationOf({ path, message, fix }: PreflightCheck): Violation {
  return { path, message: `${message}. To mend it: ${fix}` };
}

/** SERVICE-to-SOURCE as a DNS label. */
function nameFor({ service, to }: MigrationSpec, own: string): string {
  const place = to.cluster === '' || to.cluster === own ? to.registry : `${to.cluster}-${to.registry}`;
  const text = `${service}-to-${place}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return text.slice(0, 63).replace(/^-+|-+$/g, '');
}
