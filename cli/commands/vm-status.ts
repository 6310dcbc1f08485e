import { type Command, Option } from 'commander';
import type { AgentStatus } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { age, table } from '../text/table.ts';
import { askAgent } from './agent-admin.ts';
import { type Listen, listenFlag } from './vm-join-flags.ts';

export function addVmStatus(vm: Command, io: Io): void {
  leaf(vm, 'status', 'how far this machine has come, and what it can reach; asks the agent that runs here', [
    'vm status',
    'vm status --admin 127.0.0.1:15021 -o json',
  ])
    .addOption(
      new Option('--admin <address:port>', "the agent's --admin")
        .argParser(listenFlag)
        .default({ address: '127.0.0.1', port: 15_021 }, '127.0.0.1:15021'),
    )
    .action(async ({ admin, output }: LeafOptions & { readonly admin: Listen }) => {
      const status = await askAgent(admin, io.signal);
      emit(io, output, status, statusText(status));
      if (!status.ready) throw new CliError(exitCode.failed, 'NOT_READY', 'this machine does not serve yet', 'see the stages above');
    });
}

function statusText(status: AgentStatus): string {
  const { identity, data, services, outbound, interest, taken } = status;
  const at = ({ address, port }: Listen) => `${address}:${port}`;
  return [
    `${status.instance} (${status.version}), network ${status.network}: ${status.ready ? 'ready' : 'not ready'}`,
    identity === undefined ? 'no identity yet' : `${identity.spiffeId} of cluster ${identity.cluster}, until ${identity.notAfter}`,
    `inbound ${at(status.inbound)}, DNS ${at(status.dns)}, control plane ${data.controlPlane || 'none yet'}`,
    proxyText(status),
    ...(status.capture === undefined ? [] : [`capture ${status.capture.rules}: ${status.capture.reason}`]),
    dataText(data),
    '',
    table(
      ['STAGE', 'OK', 'WHY'],
      status.stages.map(({ stage, ok, reason }) => [stage, ok ? 'yes' : 'no', reason]),
    ),
    ...section(
      ['IDENTITY', 'SPIFFE ID', 'STATE', 'OF', 'SERVICES'],
      status.identities.map((i) => [i.name, i.spiffeId, i.state, i.selectors || 'everybody', i.services.join(', ')]),
    ),
    ...section(
      ['SERVICE', 'HEALTH', 'WHY'],
      services.map((s) => [`${s.namespace}/${s.name}`, s.health, s.reason]),
    ),
    ...section(
      ['TUNNEL TO', 'STATE', 'SINCE', 'STREAMS', 'WHY'],
      (status.tunnels ?? []).map((t) => [
        t.address === '' ? t.peer : `${t.peer} (${t.address})`,
        t.state,
        t.since === undefined ? '' : new Date(t.since).toISOString(),
        String(t.streams),
        t.lastError ?? '',
      ]),
    ),
    ...section(
      ['CALL', 'ON', 'PROTOCOL', 'ENDPOINTS'],
      outbound.map((o) => [o.host, at(o), o.protocol, String(o.endpoints)]),
    ),
    ...section(
      ['KNOWS', 'STATE', 'WHY', 'UNUSED FOR'],
      interest.map((i) => [i.host, i.state, whyText[i.why], i.idleMs === undefined ? '' : age(i.idleMs)]),
    ),
    ...section(
      ['PORT_TAKEN', 'PORT', 'WHAT TO DO'],
      taken.map((t) => [t.host, String(t.port), t.reason]),
    ),
  ].join('\n');
}

function proxyText({ proxy, engine }: AgentStatus): string {
  if (proxy.kind === 'isthmus') {
    const instead = engine?.instead === undefined ? '' : ` (${engine.instead})`;
    return engine === undefined ? 'proxy isthmus' : `proxy isthmus, engine ${engine.name}${instead}`;
  }
  if (proxy.kind === 'none') return 'proxy none: Envoys of your own, see isthmus envoy bootstrap';
  const { version, pid, state, connected, updateRejected, lastUpdateAgeMs, problem } = proxy;
  const fed = connected ? 'fed by the control plane' : 'no stream to the control plane';
  const changed = lastUpdateAgeMs === undefined ? 'nothing taken yet' : `last change ${Math.round(lastUpdateAgeMs / 1_000)} s ago`;
  const line = `proxy envoy ${version}, pid ${pid ?? '-'}, ${state}, ${fed}, ${changed}, ${updateRejected} updates refused`;
  return problem === undefined ? line : `${line}\n  ${problem}`;
}

const whyText = { configured: 'an --outbound port', used: 'looked up here', asked: 'looked up here, not confirmed' } as const;

function dataText({ from, ageMs, connected, lastError }: AgentStatus['data']): string {
  const source = { 'control-plane': 'from the control plane', disk: 'from disk', nothing: 'none' }[from];
  const old = ageMs === undefined ? '' : `, ${age(ageMs)} old`;
  return `data ${source}${old}${connected || lastError === undefined ? '' : `; ${lastError}`}`;
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : ['', table(head, rows)];
}
