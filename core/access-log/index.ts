export { type AccessLogging, logAll, type SideLogging } from './contract.ts';
export { parseLogFilter } from './filter.ts';
export { type CompiledLogging, compileLogging, isLogged } from './is-logged.ts';
