import type { RotationStatus } from '../../core/admin/index.ts';

const meanings: Readonly<Record<RotationStatus['phase'], string>> = {
  prepare: 'the new root is made',
  distribute: 'everybody learns of both roots',
  sign: 'signing certificates and SVIDs are issued anew under the root that stays',
  retire: 'the root that goes is taken out of every bundle',
  done: 'the new root is the only one',
  aborted: 'the old root is the only one again',
};
const mostShown = 20;

export function isRotationOver({ phase }: RotationStatus): boolean {
  return phase === 'done' || phase === 'aborted';
}

export function rotationText(status: RotationStatus): string {
  const { id, phase, aborting, asks, missing, from, to, without } = status;
  const lines = [`Rotation ${id}${aborting && phase !== 'aborted' ? ', on its way back' : ''}: ${phase}: ${meanings[phase]}`];
  lines.push(`  old root ${from.slice(0, 16)}, new root ${to === '' ? 'not made yet' : to.slice(0, 16)}`);
  if (without.length > 0) lines.push(`  not waited for: ${without.join(', ')}`);
  if (asks) lines.push('  nobody is missing: isthmus ca rotate continue');
  if (missing.length > 0) lines.push('  missing:');
  for (const { cluster, name, reason, offline } of missing.slice(0, mostShown)) {
    lines.push(`    ${name === cluster ? cluster : `${cluster}/${name}`}${offline ? ' (offline)' : ''}: ${reason}`);
  }
  if (missing.length > mostShown) lines.push(`    and ${missing.length - mostShown} more`);
  if (missing.some((each) => each.offline))
    lines.push('  Wait for those who are offline, or name the lost ones: isthmus ca rotate continue --without NAME');
  return lines.join('\n');
}
