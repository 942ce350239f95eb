import { type Contract } from 'fabric-contract-api';
import { AssetContract } from './asset-contract';

export const contracts: (typeof Contract)[] = [AssetContract];
