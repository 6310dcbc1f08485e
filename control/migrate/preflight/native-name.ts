import { gatewayServiceAccount, systemNamespace } from '../../../core/model/index.ts';
import { didYouMean } from '../../../core/yaml/index.ts';
import { explainDecision } from '../../policy/index.ts';
import type { PreflightCheck, RegistryFact } from './contract.ts';
import { authzOf, callerAs, isAllowed } from './identity.ts';
import type { Scene } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { listText, someText } from './words.ts';

/** Callers without a sidecar move by the native name, where the object says so; without it they stay, which is said. */
export function checkNativeName(scene: Scene): readonly PreflightCheck[] {
  const { spec, from } = scene;
  if (spec.nativeName === undefined) {
    const message = `callers without a sidecar keep calling ${from.label} by its native name`;
    return verdict('native-name', message, []);
  }
  const { registry, atWeight } = spec.nativeName;
  const config = scene.facts.registries.find((r) => r.id === registry);
  const problems = config === undefined ? [unknown(scene, registry)] : [...switchable(config), ...usable(config, scene)];
  if (!spec.steps.some((step) => step.weight >= atWeight)) {
    const last = spec.steps.at(-1)?.weight ?? 0;
    problems.push(
      fail('spec.nativeName.atWeight', `no step has a weight of ${atWeight} or more: the last is ${last}`, `set it to ${last} or less`),
    );
  }
  return verdict('native-name', `the gateways take over the name in ${registry} from ${atWeight} % on`, problems);
}

function unknown({ facts }: Scene, registry: string): Problem {
  const known = facts.registries.map((r) => r.id);
  const message = `there is no Registry ${registry} here${didYouMean(registry, known)}`;
  return fail(
    'spec.nativeName.registry',
    message,
    known.length === 0 ? 'leave nativeName out' : `use ${someText(known)}, or leave nativeName out`,
  );
}

/** Where nobody can add gateways under a service's own name. */
const unable: Readonly<Record<Exclude<RegistryFact['type'], 'consul' | 'kubernetes'>, string>> = {
  nomad: 'Nomad takes no registrations from outside',
  file: 'a folder is only read',
};

function switchable({ id, type, publish, takeover }: RegistryFact): Problem[] {
  const path = 'spec.nativeName.registry';
  if (type !== 'consul' && type !== 'kubernetes') {
    const message = `the native name cannot be switched in ${id}: ${unable[type]}`;
    return [fail(path, message, 'leave nativeName out, and let such callers use the gateway ports or mesh names')];
  }
  const problems: Problem[] = [];
  if (!publish) {
    problems.push(fail(path, `${id} is only read: nothing may be added under its names`, `set spec.publish: true of Registry ${id}`));
  }
  if (takeover !== true) {
    const message = `${id} does not say takeover: true: gateways are added to the name, and the original instances stay in it and keep their share of calls`;
    problems.push(warn(path, message, `set spec.takeover: true of Registry ${id}, or take the originals out yourself`));
  }
  return problems;
}

function usable({ id, rules }: RegistryFact, scene: Scene): Problem[] {
  const { facts, service, key } = scene;
  const problems: Problem[] = [];
  const path = 'spec.nativeName.registry';
  if (!service?.contributions.some((c) => c.cluster === facts.view.cluster && c.source === id)) {
    const message = `${id} does not hold ${key}: there is no native name to switch in it`;
    problems.push(fail(path, message, `name the registry that such callers ask, ${scene.from.registry} as it seems`));
  }
  const gateways = (facts.view.gateways.get(rules.network as never) ?? []).filter((g) => g.healthy && !g.draining);
  if (gateways.length === 0) {
    const message = `no healthy gateway is on network ${rules.network}, where the callers of ${id} are`;
    problems.push(fail(path, message, `run a gateway on network ${rules.network}`));
  }
  return [...problems, ...originate(scene)];
}

/** The gateways call for them, in their own name. */
function originate({ facts, service, key }: Scene): Problem[] {
  const problems: Problem[] = [];
  if (facts.originateSources.length === 0) {
    const message = 'gateways serve no caller without a sidecar: the Mesh names no sources of such calls';
    problems.push(fail('spec.nativeName', message, 'name their addresses in spec.originate.sources of the Mesh'));
  }
  const missing = (service?.ports ?? []).filter((p) => !facts.gatewayPorts.some((g) => g.service === key && g.port === p.port));
  if (missing.length > 0) {
    const message = `${key} has no gateway port yet for ${listText(missing.map((p) => String(p.port)))}`;
    problems.push(
      warn('spec.nativeName', message, 'it gets one when the name is first published: look at `isthmus status` before that step'),
    );
  }
  if (service === undefined) return problems;
  const identity = { namespace: systemNamespace, serviceAccount: gatewayServiceAccount };
  const gateway = callerAs(identity, facts.view.cluster, facts.trustDomain);
  const authz = authzOf(service, facts.view, facts.policies);
  if (!isAllowed(authz, gateway)) {
    const message = `${key} refuses the gateways, which call for those without a sidecar: ${explainDecision(authz, gateway).text}`;
    problems.push(fail('spec.nativeName', message, `allow principal ${gateway.principal} in the AuthorizationPolicies of ${key}`));
  }
  return problems;
}
