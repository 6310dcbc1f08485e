import { makeNative } from './make-native.ts';
import { withdrawnSuite } from './withdrawn-suite.ts';

withdrawnSuite('native', makeNative);
