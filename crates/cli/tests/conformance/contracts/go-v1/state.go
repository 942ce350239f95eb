package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/pkg/statebased"
	"github.com/hyperledger/fabric-chaincode-go/shim"
)

func init() {
	register(map[string]function{
		"Noop":            {more: true, call: noop},
		"Put":             {parameters: 2, call: put},
		"Get":             {parameters: 1, call: get},
		"Delete":          {parameters: 1, call: del},
		"Swap":            {parameters: 2, call: swap},
		"ReadAfterWrite":  {parameters: 2, call: readAfterWrite},
		"GetMultiple":     {parameters: 1, more: true, call: getMultiple},
		"PutMany":         {parameters: 3, call: putMany},
		"PutBatch":        {parameters: 3, call: putBatch},
		"MixedBatch":      {parameters: 1, call: mixedBatch},
		"PutBig":          {parameters: 2, call: putBig},
		"BigAnswer":       {parameters: 1, call: bigAnswer},
		"SetKeyPolicy":    {parameters: 2, more: true, call: setKeyPolicy},
		"GetKeyPolicy":    {parameters: 1, call: getKeyPolicy},
		"PutWithMetadata": {parameters: 3, call: putWithMetadata},
	})
}

func noop(shim.ChaincodeStubInterface, []string) (any, error) { return nil, nil }

// put: key, value.
func put(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return nil, stub.PutState(p[0], []byte(p[1]))
}

// get: key. Answers the value as it is; an absent key is an error.
func get(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	value, err := stub.GetState(p[0])
	if err == nil && value == nil {
		err = fmt.Errorf("the key %s does not exist", p[0])
	}
	return value, err
}

// del: key.
func del(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return nil, stub.DelState(p[0])
}

// swap: key, value. Reads, writes, and answers the old value: two of them conflict.
func swap(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	old, err := stub.GetState(p[0])
	if err != nil {
		return nil, err
	}
	return old, stub.PutState(p[0], []byte(p[1]))
}

// readAfterWrite: key, value. Answers what the key holds before and after writing it, in one transaction.
func readAfterWrite(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	before, err := stub.GetState(p[0])
	if err != nil {
		return nil, err
	}
	if err := stub.PutState(p[0], []byte(p[1])); err != nil {
		return nil, err
	}
	after, err := stub.GetState(p[0])
	return map[string]string{"before": string(before), "after": string(after)}, err
}

// getMultiple: keys. Answers the values in order; null where the key is absent. This shim reads them one by one.
func getMultiple(stub shim.ChaincodeStubInterface, keys []string) (any, error) {
	texts := make([]*string, len(keys))
	for i, key := range keys {
		value, err := stub.GetState(key)
		if err != nil {
			return nil, err
		}
		if value != nil {
			text := string(value)
			texts[i] = &text
		}
	}
	return texts, nil
}

// putMany: prefix, count, value. Writes <prefix>00000 and on, one request each.
func putMany(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	count, err := strconv.Atoi(p[1])
	if err != nil {
		return nil, err
	}
	for i := range count {
		if err := stub.PutState(fmt.Sprintf("%s%05d", p[0], i), []byte(p[2])); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// putBatch: like putMany; this shim knows no batches.
func putBatch(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return putMany(stub, p)
}

// mixedBatch: prefix. Writes, overwrites, deletes and sets a policy:
// <prefix>kept holds "second", <prefix>gone is deleted.
func mixedBatch(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	policy, err := keyPolicy([]string{"Org1MSP"})
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return stub.PutState(p[0]+"kept", []byte("first")) },
		func() error { return stub.PutState(p[0]+"kept", []byte("second")) },
		func() error { return stub.PutState(p[0]+"gone", []byte("here")) },
		func() error { return stub.DelState(p[0] + "gone") },
		func() error { return stub.SetStateValidationParameter(p[0]+"kept", policy) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// putBig: key, size in bytes.
func putBig(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	size, err := strconv.Atoi(p[1])
	if err != nil {
		return nil, err
	}
	return nil, stub.PutState(p[0], big(size))
}

// bigAnswer: size in bytes. Answers that much.
func bigAnswer(_ shim.ChaincodeStubInterface, p []string) (any, error) {
	size, err := strconv.Atoi(p[0])
	if err != nil {
		return nil, err
	}
	return big(size), nil
}

func big(size int) []byte { return []byte(strings.Repeat("x", size)) }

// setKeyPolicy: key, MSP IDs whose peers must all endorse.
func setKeyPolicy(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	policy, err := keyPolicy(p[1:])
	if err != nil {
		return nil, err
	}
	return nil, stub.SetStateValidationParameter(p[0], policy)
}

// getKeyPolicy: key. Answers the MSP IDs of its policy; null if it has none.
func getKeyPolicy(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	policy, err := stub.GetStateValidationParameter(p[0])
	if err != nil || policy == nil {
		return nil, err
	}
	parsed, err := statebased.NewStateEP(policy)
	if err != nil {
		return nil, err
	}
	return parsed.ListOrgs(), nil
}

// putWithMetadata: key, value, MSP ID. Writes value and policy of a key in one transaction.
func putWithMetadata(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	if err := stub.PutState(p[0], []byte(p[1])); err != nil {
		return nil, err
	}
	return setKeyPolicy(stub, []string{p[0], p[2]})
}

func keyPolicy(mspIDs []string) ([]byte, error) {
	policy, err := statebased.NewStateEP(nil)
	if err != nil {
		return nil, err
	}
	if err := policy.AddOrgs(statebased.RoleTypePeer, mspIDs...); err != nil {
		return nil, err
	}
	return policy.Policy()
}
