import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { certificatesToPem, generateKey, issueLeafWithNames, keyToPem, spkiOf } from '../../../core/pki/index.ts';
import type { MeshPki } from '../../support/mesh-pki.ts';
import type { ServerCertificate } from './backend.ts';

/** Writes `ca.crt`, and `server.crt` with its key for backend.example.com, as a DestinationRule names them. */
export async function writeCertificates(pki: MeshPki, folder: string): Promise<ServerCertificate> {
  const key = generateKey();
  const names = { uris: [], dns: ['backend.example.com'] };
  // By the root: clusters' intermediates sign names of their own cluster alone.
  const leaf = issueLeafWithNames(pki.root, spkiOf(key), names, Date.now(), 3_600_000);
  const server = { cert: certificatesToPem([leaf.der]), key: keyToPem(key) };
  await writeFile(join(folder, 'ca.crt'), certificatesToPem([pki.root.certificate.der]));
  await writeFile(join(folder, 'server.crt'), server.cert);
  await writeFile(join(folder, 'server.key'), server.key, { mode: 0o600 });
  return server;
}
