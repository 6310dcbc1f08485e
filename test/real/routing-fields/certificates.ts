import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { svidKeyPem } from '../../../core/identity/index.ts';
import { certificatesToPem, generateKey, issueLeafWithNames, keyToPem, spkiOf } from '../../../core/pki/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Writes, as a DestinationRule or a Gateway names them: `ca.crt`, `server.crt` with its key for backend.example.com, `other.crt` for
 * other.example.com, `client.crt` for client.example.com, and `stranger.crt`, an authority that has signed `outsider.crt` alone.
 */
export async function writeCertificates(pki: MeshPki, folder: string): Promise<ServerCertificate> {
  const server = await write(pki, folder, 'server', 'backend.example.com');
  const stranger = new MeshPki();
  await write(pki, folder, 'other', 'other.example.com');
  await write(pki, folder, 'client', 'client.example.com');
  await write(stranger, folder, 'outsider', 'client.example.com');
  await writeFile(join(folder, 'ca.crt'), certificatesToPem([pki.root.certificate.der]));
  await writeFile(join(folder, 'stranger.crt'), certificatesToPem([stranger.root.certificate.der]));
  return server;
}

async function write(pki: MeshPki, folder: string, file: string, name: string): Promise<ServerCertificate> {
  const key = generateKey();
  // By the root: clusters' intermediates sign names of their own cluster alone.
  const leaf = issueLeafWithNames(pki.root, spkiOf(key), { uris: [], dns: [name] }, Date.now(), 3_600_000);
  const pair = { cert: certificatesToPem([leaf.der]), key: keyToPem(key) };
  await writeFile(join(folder, `${file}.crt`), pair.cert);
  await writeFile(join(folder, `${file}.key`), pair.key, { mode: 0o600 });
  return pair;
}

/** What a workload of the mesh shows. */
export function svidOf(pki: MeshPki, namespace: string, serviceAccount: string): ServerCertificate {
  const svid = pki.svid('east', namespace, serviceAccount);
  return { cert: svid.chainPem, key: svidKeyPem(svid) };
}
