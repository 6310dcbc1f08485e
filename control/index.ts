export type { BackupOptions, BackupResult } from './backup.ts';
export { backupAuthority, restoreAuthority } from './backup.ts';
export { caImport, caInit, issuerFromPem, loadRoot, rootFromPkcs12, signIntermediate } from './ca/index.ts';
export { parseHostPort } from './config/index.ts';
export type { InitOptions, InitResult } from './init.ts';
export { initControl } from './init.ts';
