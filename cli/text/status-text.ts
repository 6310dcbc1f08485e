import type { EndpointGroup, ServiceStatus, Status } from '../../core/admin/index.ts';
import { summaryText } from './drift-text.ts';
import { age, section, table } from './table.ts';

/** Pure. */
export function statusText(status: Status): string {
  const head = `cluster ${status.cluster}, trust domain ${status.trustDomain}, network ${status.network}, version ${status.version}, ${status.time}\n`;
  const parts = [head, sources(status), servicesText(status.services)];
  if (status.partial) return [...parts, 'You see some namespaces only; what concerns the whole mesh needs role viewer on *.\n'].join('\n');
  return [...parts, peers(status), gateways(status), clients(status), certificates(status), ...problems(status)].join('\n');
}

function servicesText(services: readonly ServiceStatus[]): string {
  const rows = services.flatMap((service) => {
    const first = [
      `${service.namespace}/${service.name}`,
      service.ports.map((p) => `${p.port}/${p.protocol}`).join(' '),
      service.audience.join(' ') || '-',
    ];
    if (service.endpoints.length === 0) return [[...first, '-', '-', '-', '-', 'no endpoints']];
    return service.endpoints.map((group, i) => [...(i === 0 ? first : ['', '', '']), ...endpointCells(group)]);
  });
  return section('SERVICES', ['SERVICE', 'PORTS', 'EXPORTED TO', 'CLUSTER', 'RUNTIME', 'NETWORK', 'HEALTHY', 'NOTE'], rows);
}

function endpointCells(group: EndpointGroup): string[] {
  const total = group.healthy + group.unhealthy + group.draining;
  const notes = [group.draining > 0 ? `${group.draining} draining` : '', group.stale > 0 ? `${group.stale} stale` : ''].filter(
    (n) => n !== '',
  );
  return [group.cluster, group.runtime, group.network, `${group.healthy}/${total}`, notes.join(', ')];
}

function sources({ sources: all }: Status): string {
  const rows = all.map((s) => [
    s.cluster,
    s.source,
    s.runtime,
    s.state,
    age(s.ageMs),
    String(s.services),
    String(s.endpoints),
    s.error ?? '',
  ]);
  return section('SOURCES', ['CLUSTER', 'SOURCE', 'RUNTIME', 'STATE', 'DATA AGE', 'SERVICES', 'ENDPOINTS', 'ERROR'], rows);
}

export function peersTable({ peers: all }: Pick<Status, 'peers'>): string {
  const dialled = { us: 'by us', them: 'by them', nobody: '-' };
  const rows = all.map((p) => [
    p.cluster,
    p.state,
    dialled[p.dialledBy],
    age(p.dataAgeMs),
    p.version ?? '-',
    p.addresses.join(' ') || '-',
    p.error ?? '',
  ]);
  return rows.length === 0 ? 'none' : table(['CLUSTER', 'STATE', 'DIALLED', 'DATA AGE', 'VERSION', 'ADDRESSES', 'ERROR'], rows);
}

function peers(status: Status): string {
  const { drift } = status;
  const alone = status.peers.length === 0 && drift?.conflicts === 0;
  const objects =
    drift === undefined || alone ? '' : `objects: ${summaryText(drift)}${drift.state === 'in-sync' ? '' : '; see isthmus drift'}\n`;
  return `PEERS\n${peersTable(status)}\n${objects}`;
}

function gateways({ gateways: all }: Status): string {
  const rows = all.map((g) => [
    g.cluster,
    g.network,
    g.instance,
    g.addresses.map((a) => `${a.includes(':') ? `[${a}]` : a}:${g.port}`).join(' '),
    g.draining ? 'draining' : g.healthy ? 'healthy' : 'unhealthy',
    g.engine ?? '-',
  ]);
  return section('GATEWAYS', ['CLUSTER', 'NETWORK', 'INSTANCE', 'ADDRESSES', 'STATE', 'ENGINE'], rows);
}

function clients({ clients: all }: Status): string {
  const header = [
    'INSTANCE',
    'ROLE',
    'DIALECT',
    'ENGINE',
    'NETWORK',
    'STATE',
    'SILENT FOR',
    'DATA AGE',
    'TELEMETRY',
    'RESOURCES',
    'IDENTITY',
  ];
  const rows = all.map((c) => [
    c.instance,
    c.role,
    c.dialect,
    c.engine ?? '-',
    c.network,
    c.connected ? 'connected' : 'lost',
    age(c.ageMs),
    c.dataAgeMs === 0 ? 'current' : age(c.dataAgeMs),
    c.telemetryAgeMs === undefined ? '-' : age(c.telemetryAgeMs),
    String(c.resources),
    c.identity,
  ]);
  const refused = all.flatMap((c) =>
    c.refused.map((r) => `${c.instance} (${c.dialect}) refused ${r.type} ${r.name} at version ${r.version}: ${r.reason}\n`),
  );
  return section('CLIENTS', header, rows) + refused.join('');
}

function certificates({ certificates: all }: Status): string {
  return section(
    'CERTIFICATES',
    ['NAME', 'KIND', 'UNTIL', 'STATE'],
    all.map((c) => [c.name, c.kind, c.notAfter, c.state]),
  );
}

function findingsText({ errors, warnings, first }: NonNullable<Status['findings']>): string {
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
  const lines = first.map((f) => `  ${f.severity} ${f.code}: ${f.object}${f.path === '' ? '' : ` ${f.path}`}: ${f.message}\n`);
  const more = errors + warnings > first.length ? '; the first of them, all with isthmus get' : '';
  return `FINDINGS\n${count(errors, 'error')} and ${count(warnings, 'warning')} in the traffic objects in force${more}\n${lines.join('')}`;
}

function problems({ conflicts, findings, configViolations }: Status): string[] {
  const found: string[] = [];
  if (findings !== undefined && findings.errors + findings.warnings > 0) found.push(findingsText(findings));
  if (conflicts.length > 0)
    found.push(
      section(
        'CONFLICTS',
        ['KIND', 'SUBJECT', 'WHAT'],
        conflicts.map((c) => [c.kind, c.subject, c.message]),
      ),
    );
  if (configViolations.length > 0) {
    found.push(
      `CONFIGURATION\nThe files as they are now were refused; the last good configuration is in force.\n${configViolations.map((v) => `  ${v}`).join('\n')}\n`,
    );
  }
  return found;
}
