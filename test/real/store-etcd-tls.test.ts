import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../control/store/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { put, text, write } from '../contract/store/harness.ts';
import { install } from './servers/index.ts';
import { onFreePorts, startServer } from './servers/server-process.ts';

/** A CA with a server's and a client's certificate, as an administrator would make them. */
async function makeCertificates(dir: string): Promise<void> {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=ca');
  for (const [name, extension] of [
    ['server', 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    await writeFile(join(dir, `${name}.ext`), extension);
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
    );
  }
}

test('etcd over mutual TLS, as the Mesh object names it; without the certificate it is refused', async (t) => {
  const binary = (await install('etcd')).binary('etcd');
  const server = await onFreePorts({ name: 'etcd-tls' }, ['client', 'peer'], async (ports, folder) => {
    await makeCertificates(folder);
    const url = `https://127.0.0.1:${ports.client}`;
    const peerUrl = `http://127.0.0.1:${ports.peer}`;
    const ca = await readFile(join(folder, 'ca.pem'));
    const [cert, key] = await Promise.all([readFile(join(folder, 'client.pem')), readFile(join(folder, 'client.key'))]);
    const { connect } = await import('node:tls');
    const running = await startServer({
      name: 'etcd',
      command: binary,
      args: [
        '--name=one',
        `--data-dir=${join(folder, 'data')}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=one=${peerUrl}`,
        `--cert-file=${join(folder, 'server.pem')}`,
        `--key-file=${join(folder, 'server.key')}`,
        `--trusted-ca-file=${join(folder, 'ca.pem')}`,
        '--client-cert-auth',
        '--log-level=error',
      ],
      netns: undefined,
      folder,
      ready: () =>
        new Promise<boolean>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port: ports.client, ca, cert, key }, () => resolve(socket.destroy() !== undefined));
          socket.on('error', () => resolve(false));
        }),
    });
    return Object.assign(running, { url });
  });
  t.after(() => server.stop());
  const file = (name: string) => join(server.folder, name);
  const spec = { kind: 'etcd' as const, endpoints: [server.url], prefix: 'tls/', caFile: file('ca.pem') };
  const open = (more: object) => openStore({ stateDir: '/nonexistent', store: { ...spec, ...more } }, systemClock, Math.random);
  const store = await open({ certFile: file('client.pem'), keyFile: file('client.key') });
  await write(store, put('a', 'over TLS'));
  assert.equal(text((await store.get('a'))?.value ?? new Uint8Array()), 'over TLS');
  await store.close();
  await assert.rejects(open({}), { code: 'STORE_UNAVAILABLE' });
  await assert.rejects(open({ caFile: file('client.pem') }), { code: 'STORE_UNAVAILABLE' });
  await assert.rejects(open({ certFile: file('missing.pem') }), { code: 'CONFIG_INVALID', message: /missing\.pem cannot be read/ });
});
