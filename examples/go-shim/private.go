package main

import (
	"encoding/hex"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
)

func init() {
	register(map[string]function{
		"PutPrivate":         {parameters: 3, call: putPrivate},
		"GetPrivate":         {parameters: 2, call: getPrivate},
		"GetMultiplePrivate": {parameters: 2, more: true, call: getMultiplePrivate},
		"GetPrivateHash":     {parameters: 2, call: getPrivateHash},
		"DeletePrivate":      {parameters: 2, call: deletePrivate},
		"PurgePrivate":       {parameters: 2, call: purgePrivate},
		"RangePrivate":       {parameters: 3, call: rangePrivate},
		"CompositePrivate":   {parameters: 2, more: true, call: compositePrivate},
		"QueryPrivate":       {parameters: 2, call: queryPrivate},
		"SetPrivatePolicy":   {parameters: 3, more: true, call: setPrivatePolicy},
		"GetPrivatePolicy":   {parameters: 2, call: getPrivatePolicy},
	})
}

// putPrivate: collection, key, value.
func putPrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return nil, stub.PutPrivateData(p[0], p[1], []byte(p[2]))
}

// getPrivate: collection, key.
func getPrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return stub.GetPrivateData(p[0], p[1])
}

// getMultiplePrivate: collection, keys.
func getMultiplePrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	values, err := stub.GetMultiplePrivateData(p[0], p[1:]...)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts, nil
}

// getPrivateHash: collection, key. Answers hex.
func getPrivateHash(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	hash, err := stub.GetPrivateDataHash(p[0], p[1])
	return hex.EncodeToString(hash), err
}

// deletePrivate: collection, key.
func deletePrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return nil, stub.DelPrivateData(p[0], p[1])
}

// purgePrivate: collection, key.
func purgePrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return nil, stub.PurgePrivateData(p[0], p[1])
}

// rangePrivate: collection, start, end.
func rangePrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetPrivateDataByRange(p[0], p[1], p[2])
	if err != nil {
		return nil, err
	}
	return drain(rows)
}

// compositePrivate: collection, object type, first attributes.
func compositePrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetPrivateDataByPartialCompositeKey(p[0], p[1], p[2:])
	if err != nil {
		return nil, err
	}
	return drain(rows)
}

// queryPrivate: collection, a rich query.
func queryPrivate(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetPrivateDataQueryResult(p[0], p[1])
	if err != nil {
		return nil, err
	}
	return drain(rows)
}

// setPrivatePolicy: collection, key, MSP IDs whose peers must all endorse.
func setPrivatePolicy(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	policy, err := keyPolicy(p[2:])
	if err != nil {
		return nil, err
	}
	return nil, stub.SetPrivateDataValidationParameter(p[0], p[1], policy)
}

// getPrivatePolicy: collection, key. Answers hex.
func getPrivatePolicy(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	policy, err := stub.GetPrivateDataValidationParameter(p[0], p[1])
	return hex.EncodeToString(policy), err
}
