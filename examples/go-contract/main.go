// The asset ledger as a contract on fabric-contract-api-go.
//
// The peer launches it, or, with CHAINCODE_SERVER_ADDRESS set, it listens for the peer.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	assets := new(AssetContract)
	assets.Name = "AssetContract"
	assets.Info.Title = "Asset ledger"
	assets.Info.Version = "1.0.0"
	chaincode, err := contractapi.NewChaincode(assets)
	if err != nil {
		return fmt.Errorf("create chaincode: %w", err)
	}
	chaincode.Info.Title = "go-contract"
	chaincode.Info.Version = "1.0.0"

	address := os.Getenv("CHAINCODE_SERVER_ADDRESS")
	if address == "" {
		return chaincode.Start()
	}
	tls, err := tlsProperties()
	if err != nil {
		return err
	}
	server := &shim.ChaincodeServer{CCID: os.Getenv("CHAINCODE_ID"), Address: address, CC: chaincode, TLSProps: tls}
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
