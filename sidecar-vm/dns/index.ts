export type { HostTable, Zones } from './answer-query.ts';
export type { DnsServer, DnsServerOptions } from './server.ts';
export { startDnsServer } from './server.ts';
