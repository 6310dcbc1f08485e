import { isDnsLabel, type ServiceKey } from '../model/index.ts';
import type { Violation } from '../validate.ts';
import { matchesGlob } from './glob.ts';
import type { RegistryRules } from './rules.ts';

/** A service, or one instance of it, as its registry names it. */
export interface NativeName {
  readonly name: string;
  /** The registry's own namespace (Kubernetes, Nomad, Consul Enterprise); absent where it has none. */
  readonly nativeNamespace?: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

/** `renamed`: the rules name it explicitly, so joining it with another service of that mesh name is wished for. */
export type Named = { readonly namespace: string; readonly name: string; readonly renamed: boolean };

/** `violation` when it was meant to be in but cannot be named; absent when the rules leave it out. */
export type Unnamed = { readonly excluded: string; readonly violation?: Violation };

/**
 * The mesh name of a native service under a Registry's rules. Pure. Native names become DNS labels: lower case, and every
 * run of other characters one `-`; what is then empty or longer than 63 is excluded with a violation, never cut, because
 * a cut name could be another service's.
 */
export function nameService(native: NativeName, rules: RegistryRules): Named | Unnamed {
  const left = leftOut(native.name, rules);
  if (left !== undefined) return { excluded: left };
  const renamed = Object.hasOwn(rules.rename, native.name);
  const name = toDnsLabel(renamed ? (rules.rename[native.name] ?? '') : native.name);
  if (name === undefined) return impossible(native.name, 'name', native.name, 'rename it in the Registry');
  const wanted = namespaceOf(native, rules);
  const namespace = toDnsLabel(wanted);
  if (namespace === undefined) return impossible(native.name, 'namespace', wanted, 'correct it where it is registered');
  return { namespace, name, renamed };
}

export function isExcluded(named: Named | Unnamed): named is Unnamed {
  return 'excluded' in named;
}

/** Whether this source may publish `key`, `NAMESPACE/NAME`. */
export function claims(rules: Pick<RegistryRules, 'claims'>, key: ServiceKey): boolean {
  return rules.claims.some((glob) => matchesGlob(glob, key));
}

/** Undefined when nothing usable is left, or it is longer than a DNS label may be. */
function toDnsLabel(text: string): string | undefined {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return isDnsLabel(label) ? label : undefined;
}

function leftOut(name: string, rules: RegistryRules): string | undefined {
  if (rules.exclude.some((glob) => matchesGlob(glob, name))) return 'excluded by the Registry';
  if (rules.include.length > 0 && !rules.include.some((glob) => matchesGlob(glob, name))) return 'not included by the Registry';
  return undefined;
}

/** Where the registry does not say, or says nothing, the fixed namespace stands. */
function namespaceOf(native: NativeName, rules: RegistryRules): string {
  const from = rules.namespaceFrom;
  if (from === undefined) return rules.namespace;
  let said: string | undefined;
  if (from === 'native') said = native.nativeNamespace;
  else if ('meta' in from) said = Object.hasOwn(native.meta, from.meta) ? native.meta[from.meta] : undefined;
  else said = native.tags.find((tag) => tag.startsWith(from.tagPrefix))?.slice(from.tagPrefix.length);
  return said === undefined || said === '' ? rules.namespace : said;
}

function impossible(service: string, what: 'name' | 'namespace', value: string, advice: string): Unnamed {
  const message = `${what} "${value.slice(0, 80)}" cannot become a DNS label of 1-63 characters: ${advice}`;
  return { excluded: message, violation: { path: `services["${service.slice(0, 80)}"]`, message } };
}
