'use strict';

const { AssetContract } = require('./lib/asset-contract');

module.exports.contracts = [AssetContract];
