import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';
import { parseSpiffeId, type SpiffeId } from '../../core/model/index.ts';
import { parseCertificate, pemBlocks } from '../../core/pki/index.ts';
import { accept, type Checked, reject } from '../../core/validate.ts';
import { certificateFiles } from '../../core/xds/grpc/index.ts';
import type { Labels } from '../../core/xds/index.ts';
import { loadAgentOptions } from '../files.ts';
import { grpcFiles } from './paths.ts';

/** What an agent's state directory says of its machine to `isthmus grpc bootstrap`. Holds no secret. */
export interface GrpcNode {
  readonly identity: SpiffeId;
  /** The agent's. */
  readonly instance: string;
  readonly network: string;
  readonly locality: string;
  readonly labels: Labels;
  /** Mesh clusters that the agent keeps anchors of, sorted; the own one is among them. */
  readonly clusters: readonly string[];
  /** Absolute. */
  readonly certificates: string;
  /** Absolute. */
  readonly xdsSocket: string;
}

/** Everything that is wrong at once. */
export async function loadGrpcNode(stateDir: string): Promise<Checked<GrpcNode>> {
  const absolute = resolve(stateDir);
  const options = await loadAgentOptions(absolute);
  if (!options.ok) return options;
  const { dir, socket } = grpcFiles(absolute);
  const path = join(dir, certificateFiles.identity);
  const identity = identityOf(await readIfThere(path));
  if (identity === undefined)
    return reject([{ path, message: 'is not there: start the agent of this folder with isthmus agent --grpc first' }]);
  const { instance, network, locality, labels } = options.value;
  const clusters = await clustersOf(dir);
  return accept({ identity, instance, network, locality, labels, clusters, certificates: dir, xdsSocket: socket });
}

/** Makes the file of several anchors, which the agent then keeps up to date. `clusters` are of GrpcNode's. */
export async function keepAnchors(node: GrpcNode, clusters: readonly string[]): Promise<void> {
  const texts = await Promise.all(clusters.map((cluster) => readIfThere(join(node.certificates, certificateFiles.anchor(cluster)))));
  await writeOwnerOnly(join(node.certificates, certificateFiles.anchors(clusters)), texts.join(''));
}

function identityOf(pem: string | undefined): SpiffeId | undefined {
  const [der] = pem === undefined ? [] : pemBlocks(pem, 'CERTIFICATE');
  const leaf = der === undefined ? undefined : parseCertificate(der);
  return leaf?.ok === true ? parseSpiffeId(leaf.value.extensions.subjectAltName?.uris[0] ?? '') : undefined;
}

async function clustersOf(dir: string): Promise<readonly string[]> {
  return (await readdir(dir)).flatMap((name) => /^anchor-([a-z0-9-]+)\.pem$/.exec(name)?.[1] ?? []).sort();
}
