export { grpcDialect } from './dialect.ts';
