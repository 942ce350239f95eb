package main

import (
	"context"
	"errors"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// How long an event may take.
const patience = time.Minute

// tour goes from stop to stop; later stops look at what earlier ones did.
type tour struct {
	gateway  *client.Gateway
	network  *client.Network
	contract *client.Contract
	sign     identity.Sign
	// written is the transaction of which events are looked at.
	written *client.Status
}

// transactions submits and evaluates in every manner.
func (t *tour) transactions() error {
	if _, err := t.contract.SubmitTransaction("Put", "color", "blue"); err != nil {
		return err
	}
	read, err := t.contract.EvaluateTransaction("Get", "color")
	if err != nil {
		return err
	}
	say("evaluate", map[string]any{"result": string(read)})

	transient := map[string][]byte{"secret": []byte("hidden")}
	read, err = t.contract.Evaluate("Transient", client.WithTransient(transient))
	if err != nil {
		return err
	}
	say("transient", map[string]any{"result": string(read)})

	result, commit, err := t.contract.SubmitAsync("PutWithEvent", client.WithArguments("color", "red", "painted", "red"))
	if err != nil {
		return err
	}
	t.written, err = commit.Status()
	if err != nil {
		return err
	}
	say("submitAsync", map[string]any{
		"result":      string(result),
		"sameTxId":    commit.TransactionID() == t.written.TransactionID,
		"status":      t.written.Code.String(),
		"successful":  t.written.Successful,
		"blockNumber": t.written.BlockNumber,
	})

	_, err = t.contract.Submit(
		"PutWithEvent",
		client.WithArguments("color", "green", "painted", "green"),
		client.WithEndorsingOrganizations("Org2MSP", "Org3MSP"),
	)
	if err != nil {
		return err
	}
	say("organizations", map[string]any{})
	return nil
}

// events reads the events of both transactions, the second from a checkpoint on, and again from a block on.
func (t *tour) events() error {
	checkpointer := new(client.InMemoryCheckpointer)
	first, err := t.oneEvent(client.WithStartBlock(0), client.WithCheckpoint(checkpointer))
	if err != nil {
		return err
	}
	checkpointer.CheckpointChaincodeEvent(first)
	second, err := t.oneEvent(client.WithStartBlock(0), client.WithCheckpoint(checkpointer))
	if err != nil {
		return err
	}
	replayed, err := t.oneEvent(client.WithStartBlock(t.written.BlockNumber))
	if err != nil {
		return err
	}
	for _, event := range []*client.ChaincodeEvent{first, second, replayed} {
		say("event", map[string]any{
			"name":      event.EventName,
			"payload":   string(event.Payload),
			"chaincode": event.ChaincodeName,
			"written":   event.TransactionID == t.written.TransactionID && event.BlockNumber == t.written.BlockNumber,
		})
	}
	return nil
}

func (t *tour) oneEvent(options ...client.ChaincodeEventsOption) (*client.ChaincodeEvent, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events, err := t.network.ChaincodeEvents(ctx, t.contract.ChaincodeName(), options...)
	if err != nil {
		return nil, err
	}
	return one(events)
}

// blocks reads the block of the first transaction in every form.
func (t *tour) blocks() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	from := client.WithStartBlock(t.written.BlockNumber)
	whole, err := t.network.BlockEvents(ctx, from)
	if err != nil {
		return err
	}
	block, err := one[*common.Block](whole)
	if err != nil {
		return err
	}
	say("block", map[string]any{
		"same": block.GetHeader().GetNumber() == t.written.BlockNumber, "transactions": len(block.GetData().GetData()),
	})

	filtered, err := t.network.FilteredBlockEvents(ctx, from)
	if err != nil {
		return err
	}
	small, err := one[*peer.FilteredBlock](filtered)
	if err != nil {
		return err
	}
	transaction := small.GetFilteredTransactions()[0]
	event := transaction.GetTransactionActions().GetChaincodeActions()[0].GetChaincodeEvent()
	say("filteredBlock", map[string]any{
		"same":    small.GetNumber() == t.written.BlockNumber && transaction.GetTxid() == t.written.TransactionID,
		"event":   event.GetEventName(),
		"payload": string(event.GetPayload()),
	})

	// The first block with private data is the one with this organization's approval of the chaincode.
	private, err := t.network.BlockAndPrivateDataEvents(ctx, client.WithStartBlock(0))
	if err != nil {
		return err
	}
	for {
		block, err := one[*peer.BlockAndPrivateData](private)
		if err != nil {
			return err
		}
		for _, set := range block.GetPrivateDataMap() {
			namespace := set.GetNsPvtRwset()[0]
			say("privateData", map[string]any{
				"namespace":  namespace.GetNamespace(),
				"collection": namespace.GetCollectionPvtRwset()[0].GetCollectionName(),
			})
			return nil
		}
	}
}

// offline signs everything outside of the library.
func (t *tour) offline() error {
	unsigned, err := t.contract.NewProposal("Put", client.WithArguments("signed", "elsewhere"))
	if err != nil {
		return err
	}
	bytes, signature, err := t.signed(unsigned)
	if err != nil {
		return err
	}
	proposal, err := t.gateway.NewSignedProposal(bytes, signature)
	if err != nil {
		return err
	}
	endorsed, err := proposal.Endorse()
	if err != nil {
		return err
	}
	if bytes, signature, err = t.signed(endorsed); err != nil {
		return err
	}
	transaction, err := t.gateway.NewSignedTransaction(bytes, signature)
	if err != nil {
		return err
	}
	submitted, err := transaction.Submit()
	if err != nil {
		return err
	}
	if bytes, signature, err = t.signed(submitted); err != nil {
		return err
	}
	commit, err := t.gateway.NewSignedCommit(bytes, signature)
	if err != nil {
		return err
	}
	status, err := commit.Status()
	if err != nil {
		return err
	}
	say("offline", map[string]any{"status": status.Code.String()})
	return nil
}

// signed is a request's bytes, and the signature of its digest.
func (t *tour) signed(request interface {
	Bytes() ([]byte, error)
	Digest() []byte
}) (bytes, signature []byte, err error) {
	if bytes, err = request.Bytes(); err != nil {
		return nil, nil, err
	}
	signature, err = t.sign(request.Digest())
	return bytes, signature, err
}

// failures tells what each kind of failure looks like.
func (t *tour) failures() error {
	_, err := t.contract.EvaluateTransaction("Fail", "not today")
	say("evaluateFails", describe(err))
	_, err = t.contract.SubmitTransaction("Fail", "not today")
	say("endorseFails", describe(err))
	_, err = t.contract.Submit(
		"Put", client.WithArguments("alone", "v"), client.WithEndorsingOrganizations("Org1MSP"),
	)
	say("commitFails", describe(err))
	_, err = t.contract.Submit(
		"Put", client.WithArguments("nobody", "v"), client.WithEndorsingOrganizations("Org7MSP"),
	)
	say("nobodyEndorses", describe(err))
	_, err = t.network.GetContract("nowhere").EvaluateTransaction("Get", "k")
	say("unknownChaincode", describe(err))
	return nil
}

// one is the next of a stream.
func one[T any](events <-chan T) (T, error) {
	event, open := <-events
	if !open {
		return event, errors.New("the stream of events ended")
	}
	return event, nil
}
