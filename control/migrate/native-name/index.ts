export type { NativeNameOptions, SwitchedName } from './native-name-home.ts';
export { NativeNameHome, switchedNames } from './native-name-home.ts';
