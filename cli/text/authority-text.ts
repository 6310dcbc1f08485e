import type { AuthorityStatus } from '../../core/admin/index.ts';

const kinds = { root: 'root', intermediate: 'signs', staged: 'signs next', previous: 'signed before', peer: 'of a peer' } as const;

export function authorityText(status: AuthorityStatus): string {
  const { cluster, trustDomain, ready, needsSignature, certificates, jwtKeys, holding, late, rotation } = status;
  const lines = [`Authority of cluster ${cluster}, trust domain ${trustDomain}${ready ? '' : ': it cannot issue yet'}`];
  for (const { kind, cluster: signer, fingerprint, root, notAfter, online, endsSoon } of certificates) {
    const what = kind === 'peer' ? `signs for ${signer}` : kinds[kind];
    const under = root === '' ? '' : ` under ${root.slice(0, 16)}`;
    const here = kind === 'root' && online ? ', online here' : '';
    lines.push(`  ${what.padEnd(16)} ${fingerprint.slice(0, 16)}${under} until ${notAfter}${here}${endsSoon ? ' ENDS SOON' : ''}`);
  }
  for (const { cluster: signer, keyId, state, namespaces, notAfter } of jwtKeys) {
    const what = state === 'peer' ? `JWTs of ${signer}` : { signs: 'signs JWTs', next: 'JWTs next', previous: 'JWTs before' }[state];
    const bounded = namespaces.includes('*') ? '' : ` for ${namespaces.join(', ')} alone`;
    lines.push(`  ${what.padEnd(16)} ${keyId.slice(0, 16)}${bounded} until ${notAfter}`);
  }
  if (needsSignature) {
    lines.push(
      '  A new signing certificate is needed, and no root is online here. Unless a peer has it: isthmus ca request, ca sign, ca install',
    );
  }
  for (const { name, reason } of holding) lines.push(`  ${name} ${reason}`);
  lines.push(...lateText(late));
  if (rotation !== null) lines.push(`  rotation ${rotation.id}: ${rotation.phase} (isthmus ca rotate status)`);
  return lines.join('\n');
}

const whyLate: Readonly<Record<AuthorityStatus['late'][number]['agent'], string>> = {
  heard: 'its agent is heard: see isthmus vm status there, and the log of both',
  silent: 'its agent is silent',
  unregistered: 'it attested and has never registered',
};

/** More would hide the rest; --output json has all. */
const mostLate = 20;

function lateText(late: AuthorityStatus['late']): string[] {
  const shown = late
    .slice(0, mostLate)
    .map(
      ({ instance, identity, notAfter, ended, agent }) =>
        `  renews late      ${instance} ${identity} ${ended ? 'ended' : 'until'} ${notAfter}: ${whyLate[agent]}`,
    );
  return late.length > mostLate ? [...shown, `  renews late      ${late.length - mostLate} more`] : shown;
}
