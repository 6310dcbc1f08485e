export type { EditedOptions } from './edit-options.ts';
export { editOptions } from './edit-options.ts';
export { addServices, removeServices } from './saved-services.ts';
