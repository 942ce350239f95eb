package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// ready is the part of the file of "windlass dev --ready-file" that a client needs.
type ready struct {
	Channel string `json:"channel"`
	MSPID   string `json:"mspId"`
	Peer    struct {
		Endpoint    string `json:"endpoint"`
		TLSRootCert string `json:"tlsRootCert"`
	} `json:"peer"`
	Users map[string]struct {
		Certificate string `json:"certificate"`
		Key         string `json:"key"`
	} `json:"users"`
}

// connection is a gateway, and the means to sign beside it.
type connection struct {
	gateway *client.Gateway
	sign    identity.Sign
	channel *grpc.ClientConn
}

func readReady(path string) (*ready, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := &ready{}
	return found, json.Unmarshal(text, found)
}

func connect(ready *ready) (*connection, error) {
	user := ready.Users["User1"]
	certificate, err := certificateOf(user.Certificate)
	if err != nil {
		return nil, err
	}
	id, err := identity.NewX509Identity(ready.MSPID, certificate)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(user.Key)
	if err != nil {
		return nil, err
	}
	key, err := identity.PrivateKeyFromPEM(pem)
	if err != nil {
		return nil, err
	}
	sign, err := identity.NewPrivateKeySign(key)
	if err != nil {
		return nil, err
	}
	root, err := certificateOf(ready.Peer.TLSRootCert)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	channel, err := grpc.NewClient(
		ready.Peer.Endpoint,
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "")),
	)
	if err != nil {
		return nil, err
	}
	minute := time.Minute
	gateway, err := client.Connect(
		id,
		client.WithSign(sign),
		client.WithHash(hash.SHA256),
		client.WithClientConnection(channel),
		client.WithEvaluateTimeout(minute),
		client.WithEndorseTimeout(minute),
		client.WithSubmitTimeout(minute),
		client.WithCommitStatusTimeout(minute),
	)
	if err != nil {
		return nil, err
	}
	return &connection{gateway: gateway, sign: sign, channel: channel}, nil
}

func certificateOf(path string) (*x509.Certificate, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	certificate, err := identity.CertificateFromPEM(pem)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certificate, nil
}

func (c *connection) close() {
	c.gateway.Close()
	c.channel.Close()
}
