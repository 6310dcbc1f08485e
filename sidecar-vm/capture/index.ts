export type { CaptureState } from './install.ts';
export { installCapture, removeCapture, showCapture } from './install.ts';
export type { CapturePlan, CapturePlanInput } from './plan.ts';
export { parseCapturePlan } from './plan.ts';
export { captureRules } from './rules.ts';
export { SignOfLife } from './sign-of-life.ts';
