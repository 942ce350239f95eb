// A chaincode on the bare fabric-chaincode-go shim, in its module line before v2, with a function for each thing that the stub can do.
//
// The peer launches it, or, with CHAINCODE_SERVER_ADDRESS set, it listens for the peer.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/hyperledger/fabric-chaincode-go/shim"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	address := os.Getenv("CHAINCODE_SERVER_ADDRESS")
	if address == "" {
		return shim.Start(new(StubTour))
	}
	tls, err := tlsProperties()
	if err != nil {
		return err
	}
	server := &shim.ChaincodeServer{CCID: os.Getenv("CHAINCODE_ID"), Address: address, CC: new(StubTour), TLSProps: tls}
	return server.Start()
}

// tlsProperties reads the server's TLS settings. TLS is off unless CHAINCODE_TLS_DISABLED is false.
func tlsProperties() (shim.TLSProperties, error) {
	disabled, err := strconv.ParseBool(os.Getenv("CHAINCODE_TLS_DISABLED"))
	if err != nil || disabled {
		return shim.TLSProperties{Disabled: true}, nil
	}
	var properties shim.TLSProperties
	if properties.Key, err = os.ReadFile(os.Getenv("CHAINCODE_TLS_KEY")); err != nil {
		return properties, fmt.Errorf("read CHAINCODE_TLS_KEY: %w", err)
	}
	if properties.Cert, err = os.ReadFile(os.Getenv("CHAINCODE_TLS_CERT")); err != nil {
		return properties, fmt.Errorf("read CHAINCODE_TLS_CERT: %w", err)
	}
	if authority := os.Getenv("CHAINCODE_CLIENT_CA_CERT"); authority != "" {
		if properties.ClientCACerts, err = os.ReadFile(authority); err != nil {
			return properties, fmt.Errorf("read CHAINCODE_CLIENT_CA_CERT: %w", err)
		}
	}
	return properties, nil
}
