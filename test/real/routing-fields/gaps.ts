/** Supported fields that no case says, and why: `KIND PATH` as docs/config-fields.md has them. */
export interface Gap {
  readonly fields: readonly string[];
  readonly reason: string;
}

const rule = (path: string) => `DestinationRule ${path}`;
const pool = (path: string) => rule(`trafficPolicy.connectionPool.${path}`);
const tls = (path: string) => rule(`trafficPolicy.tls.${path}`);

export const gaps: readonly Gap[] = [
  {
    fields: [
      ...['mode', 'clientCertificate', 'privateKey', 'caCertificates', 'sni', 'subjectAltNames[]', 'insecureSkipVerify'].map(tls),
      rule('trafficPolicy.portLevelSettings[].tls'),
    ],
    reason: 'Holds for hosts outside the mesh alone, and there are none here.',
  },
  {
    fields: ['probes', 'time', 'interval'].map((name) => pool(`tcp.tcpKeepalive.${name}`)),
    reason: 'Neither end of a connection sees what its kernel sends on its own.',
  },
  {
    fields: [pool('tcp.idleTimeout'), pool('http.idleTimeout')],
    reason: 'The callers here never leave a connection unused for a time.',
  },
  { fields: [pool('http.h2UpgradePolicy'), 'HealthCheckPolicy grpc.service'], reason: 'The backends here speak HTTP/1.1.' },
];
