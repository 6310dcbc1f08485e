import { makeNative } from './make-native.ts';
import { splitSuite } from './split-suite.ts';

splitSuite('native', makeNative);
