import { downSuite } from './down-suite.ts';
import { makeNative } from './make-native.ts';

downSuite('native', makeNative);
