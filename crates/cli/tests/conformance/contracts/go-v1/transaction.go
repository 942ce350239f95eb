package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-chaincode-go/shim"
	"github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
)

func init() {
	register(map[string]function{
		"Describe":     {more: true, call: describe},
		"Transient":    {call: transient},
		"Event":        {parameters: 2, call: event},
		"EventThenErr": {parameters: 2, call: eventThenError},
		"PutWithEvent": {parameters: 4, call: putWithEvent},
		"Call":         {parameters: 2, more: true, call: callChaincode},
		"PutThenCall":  {parameters: 4, more: true, call: putThenCall},
		"Fail":         {parameters: 1, call: fail},
		"Status":       {parameters: 2, call: status},
		"Panic":        {call: panicNow},
		"Exit":         {call: exitNow},
		"Sleep":        {parameters: 1, call: sleep},
		"Random":       {call: random},
	})
}

// describe: any parameters. Answers what the stub knows of the transaction.
func describe(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	creator, err := stub.GetCreator()
	if err != nil {
		return nil, err
	}
	identity := new(msp.SerializedIdentity)
	if err := proto.Unmarshal(creator, identity); err != nil {
		return nil, err
	}
	timestamp, err := stub.GetTxTimestamp()
	if err != nil {
		return nil, err
	}
	binding, err := stub.GetBinding()
	if err != nil {
		return nil, err
	}
	proposal, err := stub.GetSignedProposal()
	if err != nil {
		return nil, err
	}
	localMSP, err := shim.GetMSPID()
	if err != nil {
		localMSP = err.Error()
	}
	return map[string]any{
		"txId":        stub.GetTxID(),
		"channel":     stub.GetChannelID(),
		"parameters":  p,
		"mspId":       identity.GetMspid(),
		"certificate": string(identity.GetIdBytes()),
		"timestamp":   timestamp.AsTime().Format(time.RFC3339Nano),
		"binding":     hex.EncodeToString(binding),
		"signed":      len(proposal.GetSignature()) > 0,
		"localMspId":  localMSP,
		"decorations": len(stub.GetDecorations()),
	}, nil
}

// transient answers the transient map.
func transient(stub shim.ChaincodeStubInterface, _ []string) (any, error) {
	transient, err := stub.GetTransient()
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for name, value := range transient {
		texts[name] = string(value)
	}
	return texts, nil
}

// event: name, payload. Sets an event and writes nothing.
func event(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	return nil, stub.SetEvent(p[0], []byte(p[1]))
}

// eventThenError: name, payload. Sets an event and fails.
func eventThenError(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	if err := stub.SetEvent(p[0], []byte(p[1])); err != nil {
		return nil, err
	}
	return nil, errors.New("failed after setting an event")
}

// putWithEvent: key, value, event name, event payload.
func putWithEvent(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	if err := stub.PutState(p[0], []byte(p[1])); err != nil {
		return nil, err
	}
	return nil, stub.SetEvent(p[2], []byte(p[3]))
}

// callChaincode: name, channel (empty: this one), arguments. Answers status, message and payload.
func callChaincode(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	args := make([][]byte, 0, len(p)-2)
	for _, arg := range p[2:] {
		args = append(args, []byte(arg))
	}
	response := stub.InvokeChaincode(p[0], args, p[1])
	return map[string]any{
		"status":  response.GetStatus(),
		"message": response.GetMessage(),
		"payload": string(response.GetPayload()),
	}, nil
}

// putThenCall: key, value, name, channel, arguments. Writes before it calls, in one transaction.
func putThenCall(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	if err := stub.PutState(p[0], []byte(p[1])); err != nil {
		return nil, err
	}
	return callChaincode(stub, p[2:])
}

// fail: message.
func fail(_ shim.ChaincodeStubInterface, p []string) (any, error) {
	return nil, errors.New(p[0])
}

// status: status, message. Answers just that, with the payload "payload of <status>".
func status(_ shim.ChaincodeStubInterface, p []string) (any, error) {
	status, err := strconv.Atoi(p[0])
	if err != nil {
		return nil, err
	}
	payload := fmt.Appendf(nil, "payload of %d", status)
	return peer.Response{Status: int32(status), Message: p[1], Payload: payload}, nil
}

// panicNow ends the process, as a panic in Go does.
func panicNow(shim.ChaincodeStubInterface, []string) (any, error) {
	panic("told to panic")
}

// exitNow ends the process at once.
func exitNow(shim.ChaincodeStubInterface, []string) (any, error) {
	os.Exit(3)
	return nil, nil
}

// sleep: milliseconds.
func sleep(_ shim.ChaincodeStubInterface, p []string) (any, error) {
	milliseconds, err := strconv.Atoi(p[0])
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return nil, nil
}

// random answers something else every time: endorsements of two peers never match.
func random(shim.ChaincodeStubInterface, []string) (any, error) {
	return json.Marshal(time.Now().UnixNano())
}
