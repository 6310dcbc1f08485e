import { forwardSuite } from './forward-suite.ts';
import { makeNative } from './make-native.ts';

forwardSuite('native', makeNative);
