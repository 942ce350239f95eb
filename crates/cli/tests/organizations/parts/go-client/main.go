// A client on github.com/hyperledger/fabric-gateway, driven by the tests. It makes one tour of what the library can do
// and prints a line of JSON for each stop.
//
//	go-client READY CHAINCODE
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/status"
)

func main() {
	if len(os.Args) != 3 {
		fail(errors.New("usage: go-client READY CHAINCODE"))
	}
	ready, err := readReady(os.Args[1])
	if err != nil {
		fail(err)
	}
	connection, err := connect(ready)
	if err != nil {
		fail(err)
	}
	defer connection.close()
	network := connection.gateway.GetNetwork(ready.Channel)
	tour := &tour{
		gateway:  connection.gateway,
		network:  network,
		contract: network.GetContract(os.Args[2]),
		sign:     connection.sign,
	}
	for _, stop := range []func() error{tour.transactions, tour.events, tour.blocks, tour.offline, tour.failures} {
		if err := stop(); err != nil {
			fail(err)
		}
	}
}

// say prints a line of JSON.
func say(step string, facts map[string]any) {
	facts["step"] = step
	line, err := json.Marshal(facts)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// describe tells what can be known of an error.
func describe(err error) map[string]any {
	facts := map[string]any{"type": "none"}
	var (
		endorse *client.EndorseError
		submit  *client.SubmitError
		pending *client.CommitStatusError
		commit  *client.CommitError
	)
	switch {
	case errors.As(err, &endorse):
		facts["type"], facts["txId"] = "EndorseError", endorse.TransactionID
	case errors.As(err, &submit):
		facts["type"], facts["txId"] = "SubmitError", submit.TransactionID
	case errors.As(err, &pending):
		facts["type"], facts["txId"] = "CommitStatusError", pending.TransactionID
	case errors.As(err, &commit):
		facts["type"], facts["txId"], facts["status"] = "CommitError", commit.TransactionID, commit.Code.String()
		return facts
	case err != nil:
		facts["type"] = "GatewayError"
	}
	converted := status.Convert(err)
	facts["code"], facts["message"] = converted.Code().String(), converted.Message()
	details := []map[string]string{}
	for _, detail := range converted.Details() {
		if detail, ok := detail.(*gateway.ErrorDetail); ok {
			details = append(details, map[string]string{
				"address": detail.GetAddress(), "mspId": detail.GetMspId(), "message": detail.GetMessage(),
			})
		}
	}
	facts["details"] = details
	return facts
}
