import type { Command } from 'commander';
import { version } from '../../core/version.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';

export function addVersion(program: Command, io: Io): void {
  leaf(program, 'version', 'print the version', ['version', 'version --output json']).action((options: LeafOptions) => {
    emit(io, options.output, { version, node: process.versions.node }, `isthmus ${version} (node ${process.versions.node})`);
  });
}
