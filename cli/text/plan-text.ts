import type { Plan, ServicePlan } from '../../core/admin/index.ts';

const shownClients = 20;

/** Pure: what would change, service by service; what is wrong comes last, where the eye ends. */
export function planText(plan: Plan): string {
  const { objects, services, findings, resolved } = plan;
  const sections = [
    objects.length === 0
      ? ['Nothing differs from what is in force.']
      : ['Objects', ...objects.map((o) => `  ${mark[o.action]} ${o.kind} ${o.namespace}/${o.name}`)],
    ...services.map(serviceLines),
    clientLines(plan),
    ...elsewhere(plan),
    ...(resolved.length === 0 ? [] : [['No longer found', ...resolved.map(findingLine)]]),
    ...(findings.length === 0 ? [] : [['Found', ...findings.map(findingLine)]]),
    ...(plan.trafficKnown ? [] : [['Traffic of the last hour is not known here: what policies would cut off was not looked at.']]),
    ...(plan.waiting === undefined ? [] : [[`It would be refused now: ${plan.waiting}.`]]),
    [summary(plan)],
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

const mark = { created: '+', configured: '~', deleted: '-', unchanged: '=' } as const;

function serviceLines({ kind, name, routes, policies, endpoints, callers }: ServicePlan): string[] {
  return [
    `${kind === 'gateway' ? 'Gateway' : 'Service'} ${name}`,
    ...[...routes.map((r) => ['routes', r] as const), ...policies.map((p) => ['policy', p] as const)].flatMap(([what, part]) => [
      `  ${what}, ${part.name}`,
      ...part.lines.map((line) => `    ${line}`),
    ]),
    ...endpoints.flatMap((e) => [
      `  endpoints of ${e.xdsCluster}, for ${e.seenBy.join(', ')}`,
      ...e.lost.map((place) => `    - ${place}`),
      ...e.gained.map((place) => `    + ${place}`),
      ...(e.changed === 0 ? [] : [`    ~ ${e.changed} with another weight or priority`]),
    ]),
    ...(callers.length === 0 ? [] : ['  who may call it']),
    ...callers.map((c) => `    ${c.allowed ? '+' : '-'} ${c.principal} of ${c.cluster}: ${c.because}`),
  ];
}

function clientLines({ clients, clientsTouched, clientsConnected }: Plan): string[] {
  const more = clientsTouched - Math.min(clients.length, shownClients);
  return [
    `Clients: ${clientsTouched} of ${clientsConnected} connected would be told something else`,
    ...clients.slice(0, shownClients).flatMap(oneClient),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** Silence would look as if there were no more clients than these. */
function elsewhere({ meshObjects, otherClusters }: Plan): string[][] {
  if (otherClusters.length === 0) return [];
  const objects = meshObjects === 1 ? '1 object of scope mesh also changes' : `${meshObjects} objects of scope mesh also change`;
  return [[`${objects} clients of ${otherClusters.join(', ')}: not looked at. Findings are those of this cluster alone.`]];
}

function oneClient({ id, kind, network, services, seen, hidden }: Plan['clients'][number]): string[] {
  return [
    `  ${id} (${kind} on ${network}): ${services.join(', ')}`,
    ...hidden.map((service) => `    - sees ${service}`),
    ...seen.map((service) => `    + sees ${service}`),
  ];
}

function findingLine({ severity, code, object, path, message }: Plan['findings'][number]): string {
  return `  ${severity === 'error' ? 'ERROR' : 'WARN'} ${code}: ${object}${path === '' ? '' : ` ${path}`}: ${message}`;
}

function summary({ objects, services, findings, clientsTouched }: Plan): string {
  const errors = errorsIn(findings);
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
  return `${count(objects.length, 'object')}, ${count(services.length, 'service')}, ${count(clientsTouched, 'client')}; ${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}. Nothing was changed.`;
}

export function errorsIn(findings: Plan['findings']): number {
  return findings.filter((f) => f.severity === 'error').length;
}
