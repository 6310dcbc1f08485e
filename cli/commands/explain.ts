import type { Command } from 'commander';
import type { Explanation } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { explainText } from '../text/explain-text.ts';

export function addExplain(program: Command, io: Io): void {
  apiLeaf(program, 'explain', 'what happens when SRC calls DST, decision by decision', [
    'explain default/web default/payments',
    'explain vm-1 payments.default.mesh.internal:8080',
  ])
    .argument('<src>', 'NAMESPACE/NAME of a service, or an instance')
    .argument('<dst>', 'NAMESPACE/NAME of a service, or its mesh name, with or without :PORT')
    .action(async (src: string, dst: string, options: LeafOptions & TargetOptions) => {
      const query = new URLSearchParams({ src, dst });
      await callAndEmit(io, options, (client) => client.get<Explanation>(`/v1/explain?${query}`), explainText);
    });
}
