import { borderSuite } from './border-suite.ts';
import { makeNative } from './make-native.ts';

borderSuite('native', makeNative);
