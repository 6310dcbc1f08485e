import { InvalidArgumentError } from 'commander';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';

/** What flags say of a Migration. What is wrong with a value the server says, with all else that is. */
export interface ProposedSpec {
  readonly steps?: readonly (number | { readonly weight: number; readonly approval: boolean })[];
  readonly bake?: string;
  readonly mirror?: string;
  readonly interval?: string;
  readonly gate?: readonly string[];
  readonly nativeName?: string;
  readonly dependsOn?: readonly string[];
  readonly onNoData?: string;
  readonly onPartition?: string;
  readonly webhook?: readonly string[];
}

/** Fields of the spec as people write them; none for what nobody said. */
export function proposedSpec(flags: ProposedSpec): Readonly<Record<string, unknown>> {
  const { steps, bake, mirror, interval, gate, nativeName, dependsOn, onNoData, onPartition, webhook } = flags;
  return {
    ...stepsOf(steps, bake),
    ...(bake === undefined ? {} : { bake }),
    ...(mirror === undefined ? {} : { mirror: { percent: percentOf('--mirror', mirror) } }),
    ...(interval === undefined ? {} : { interval }),
    ...(gate === undefined ? {} : { gates: gate.map(gateOf) }),
    ...(nativeName === undefined ? {} : { nativeName: nativeNameOf(nativeName) }),
    ...(dependsOn === undefined ? {} : { dependsOn }),
    ...(onNoData === undefined ? {} : { onNoData: { action: onNoData } }),
    ...(onPartition === undefined ? {} : { onPartition: { action: onPartition } }),
    ...(webhook === undefined ? {} : { webhooks: webhook.map((url) => ({ url })) }),
  };
}

/** Steps that are proposed have times of their own: a time for all of them is for the weights of everybody who says none. */
function stepsOf(steps: ProposedSpec['steps'], bake: string | undefined): object {
  if (steps !== undefined) return { steps };
  return bake === undefined ? {} : { steps: [1, 5, 25, 50, 100] };
}

/** `consul/dc1`, or `west/kubernetes/prod`. */
export function sideFlag(text: string): { registry: string; cluster?: string } {
  const parts = text.split('/');
  if (parts.length < 2 || parts.length > 3 || parts.includes(''))
    throw new InvalidArgumentError('It must be SOURCE or CLUSTER/SOURCE, such as consul/dc1 or west/kubernetes/prod; see isthmus status.');
  const registry = parts.slice(-2).join('/');
  return parts.length === 3 ? { registry, cluster: parts[0] ?? '' } : { registry };
}

/** `errorRate:max=1%`, `tail=latency:percentile=99,maxRatio=1.5`; `query` takes the rest of the text. */
function gateOf(text: string): Readonly<Record<string, unknown>> {
  const match = /^(?:([a-z0-9-]+)=)?([A-Za-z]+)(?::(.*))?$/s.exec(text);
  if (match === null) throw wrong(`--gate ${text} is not [NAME=]TYPE:FIELD=VALUE,...`);
  const [, name, type = '', rest = ''] = match;
  const values: Record<string, unknown> = {};
  for (let left = rest; left !== ''; ) {
    const part = /^([A-Za-z]+)=(.*)$/s.exec(left);
    if (part === null) throw wrong(`--gate ${text}: ${left} is not FIELD=VALUE`);
    const [, field = '', value = ''] = part;
    const end = field === 'query' ? -1 : value.indexOf(',');
    values[field] = numberOr(end < 0 ? value : value.slice(0, end));
    left = end < 0 ? '' : value.slice(end + 1);
  }
  return { name: name ?? defaultName(type, values), type, ...values };
}

/** `error-rate`, `latency-p99`. */
function defaultName(type: string, { percentile }: Readonly<Record<string, unknown>>): string {
  const word = type.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return type === 'latency' && percentile !== undefined ? `${word}-p${String(percentile).replace('.', '-')}` : word;
}

function numberOr(text: string): number | string {
  return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
}

function nativeNameOf(text: string): object {
  const [registry = '', weight] = text.split('@');
  return weight === undefined ? { registry } : { registry, atWeight: percentOf('--native-name', weight) };
}

function percentOf(flag: string, text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?%?$/.exec(text);
  if (match === null) throw wrong(`${flag} ${text}: it must be percent, such as 10%`);
  return Number(match[1]);
}

function wrong(message: string): CliError {
  return new CliError(exitCode.invalid, 'INVALID_INPUT', message, 'see isthmus migrate plan --help');
}
