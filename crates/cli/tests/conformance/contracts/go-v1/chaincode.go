package main

import (
	"encoding/json"
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/shim"
	"github.com/hyperledger/fabric-protos-go/peer"
)

// StubTour is a chaincode with one function for each thing that the stub can do, on the module line before v2. Results are JSON unless a function
// says otherwise; every error of the stub becomes the response's message, word for word.
type StubTour struct{}

// A function takes the call's parameters. Its result is marshalled to JSON, except for bytes and text, which go out
// as they are, and for whole responses.
type function struct {
	// parameters is how many it takes; at least that many if more is set.
	parameters int
	more       bool
	call       func(stub shim.ChaincodeStubInterface, parameters []string) (any, error)
}

var functions = map[string]function{}

// register adds functions; each file brings its own.
func register(more map[string]function) {
	for name, function := range more {
		functions[name] = function
	}
}

// Init remembers its arguments under the key "init". With the argument "fail" it fails.
func (t *StubTour) Init(stub shim.ChaincodeStubInterface) peer.Response {
	args := stub.GetStringArgs()
	if len(args) > 0 && args[len(args)-1] == "fail" {
		return shim.Error("init was told to fail")
	}
	value, err := json.Marshal(args)
	if err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.PutState("init", value); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

// Invoke calls the function that the first argument names.
func (t *StubTour) Invoke(stub shim.ChaincodeStubInterface) peer.Response {
	name, parameters := stub.GetFunctionAndParameters()
	function, found := functions[name]
	if !found {
		return shim.Error(fmt.Sprintf("no function %q", name))
	}
	if len(parameters) < function.parameters || (len(parameters) > function.parameters && !function.more) {
		return shim.Error(fmt.Sprintf("%s takes %d parameters, found %d", name, function.parameters, len(parameters)))
	}
	result, err := function.call(stub, parameters)
	if err != nil {
		return shim.Error(err.Error())
	}
	switch result := result.(type) {
	case nil:
		return shim.Success(nil)
	case []byte:
		return shim.Success(result)
	case string:
		return shim.Success([]byte(result))
	case peer.Response:
		return result
	default:
		payload, err := json.Marshal(result)
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(payload)
	}
}
