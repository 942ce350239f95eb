package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

// Asset is a thing somebody owns. Its fields are in alphabetical order, so that JSON comes out the same everywhere.
type Asset struct {
	AppraisedValue int    `json:"AppraisedValue"`
	Color          string `json:"Color"`
	ID             string `json:"ID"`
	Owner          string `json:"Owner"`
	Size           int    `json:"Size"`
}

// AssetVersion is a state that an asset once had.
type AssetVersion struct {
	Asset     *Asset `json:"Asset,omitempty" metadata:",optional"`
	Deleted   bool   `json:"Deleted"`
	Timestamp string `json:"Timestamp"`
	TxID      string `json:"TxID"`
}

// AssetPage is a part of the assets, and where the next part begins.
type AssetPage struct {
	Assets   []*Asset `json:"Assets"`
	Bookmark string   `json:"Bookmark"`
}

// AssetContract keeps assets.
type AssetContract struct {
	contractapi.Contract
}

// InitLedger creates six assets.
func (c *AssetContract) InitLedger(ctx contractapi.TransactionContextInterface) error {
	assets := []Asset{
		{ID: "asset1", Color: "blue", Size: 5, Owner: "Amara", AppraisedValue: 300},
		{ID: "asset2", Color: "red", Size: 5, Owner: "Bjorn", AppraisedValue: 400},
		{ID: "asset3", Color: "green", Size: 10, Owner: "Chidi", AppraisedValue: 500},
		{ID: "asset4", Color: "yellow", Size: 10, Owner: "Dalia", AppraisedValue: 600},
		{ID: "asset5", Color: "black", Size: 15, Owner: "Emeka", AppraisedValue: 700},
		{ID: "asset6", Color: "white", Size: 15, Owner: "Freya", AppraisedValue: 800},
	}
	for i := range assets {
		if err := put(ctx, &assets[i]); err != nil {
			return err
		}
	}
	return nil
}

// CreateAsset adds an asset.
func (c *AssetContract) CreateAsset(ctx contractapi.TransactionContextInterface, id string, color string, size int, owner string, appraisedValue int) error {
	exists, err := c.AssetExists(ctx, id)
	if err != nil {
		return err
	}
	if exists {
		return fmt.Errorf("the asset %s already exists", id)
	}
	asset := &Asset{ID: id, Color: color, Size: size, Owner: owner, AppraisedValue: appraisedValue}
	return putWithEvent(ctx, "CreateAsset", asset)
}

// ReadAsset returns an asset.
func (c *AssetContract) ReadAsset(ctx contractapi.TransactionContextInterface, id string) (*Asset, error) {
	value, err := ctx.GetStub().GetState(id)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	if value == nil {
		return nil, fmt.Errorf("the asset %s does not exist", id)
	}
	return parse(value)
}

// UpdateAsset replaces an asset.
func (c *AssetContract) UpdateAsset(ctx contractapi.TransactionContextInterface, id string, color string, size int, owner string, appraisedValue int) error {
	if _, err := c.ReadAsset(ctx, id); err != nil {
		return err
	}
	asset := &Asset{ID: id, Color: color, Size: size, Owner: owner, AppraisedValue: appraisedValue}
	return putWithEvent(ctx, "UpdateAsset", asset)
}

// DeleteAsset removes an asset.
func (c *AssetContract) DeleteAsset(ctx contractapi.TransactionContextInterface, id string) error {
	if _, err := c.ReadAsset(ctx, id); err != nil {
		return err
	}
	return ctx.GetStub().DelState(id)
}

// TransferAsset gives an asset to a new owner and returns the old one.
func (c *AssetContract) TransferAsset(ctx contractapi.TransactionContextInterface, id string, newOwner string) (string, error) {
	asset, err := c.ReadAsset(ctx, id)
	if err != nil {
		return "", err
	}
	oldOwner := asset.Owner
	asset.Owner = newOwner
	return oldOwner, putWithEvent(ctx, "TransferAsset", asset)
}

// AssetExists says whether there is such an asset.
func (c *AssetContract) AssetExists(ctx contractapi.TransactionContextInterface, id string) (bool, error) {
	value, err := ctx.GetStub().GetState(id)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", id, err)
	}
	return value != nil, nil
}

// GetAllAssets returns all assets by ID.
func (c *AssetContract) GetAllAssets(ctx contractapi.TransactionContextInterface) ([]*Asset, error) {
	rows, err := ctx.GetStub().GetStateByRange("", "")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	assets := []*Asset{}
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return nil, err
		}
		asset, err := parse(row.GetValue())
		if err != nil {
			return nil, err
		}
		assets = append(assets, asset)
	}
	return assets, nil
}

// GetAssetPage returns at most pageSize assets from a bookmark on, which is empty for the first page.
func (c *AssetContract) GetAssetPage(ctx contractapi.TransactionContextInterface, pageSize int32, bookmark string) (*AssetPage, error) {
	rows, metadata, err := ctx.GetStub().GetStateByRangeWithPagination("", "", pageSize, bookmark)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	page := &AssetPage{Assets: []*Asset{}, Bookmark: metadata.GetBookmark()}
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return nil, err
		}
		asset, err := parse(row.GetValue())
		if err != nil {
			return nil, err
		}
		page.Assets = append(page.Assets, asset)
	}
	return page, nil
}

// GetAssetHistory returns what became of an asset, newest first.
func (c *AssetContract) GetAssetHistory(ctx contractapi.TransactionContextInterface, id string) ([]*AssetVersion, error) {
	rows, err := ctx.GetStub().GetHistoryForKey(id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	versions := []*AssetVersion{}
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return nil, err
		}
		version := &AssetVersion{
			Deleted:   row.GetIsDelete(),
			Timestamp: row.GetTimestamp().AsTime().Format(time.RFC3339Nano),
			TxID:      row.GetTxId(),
		}
		if !version.Deleted {
			if version.Asset, err = parse(row.GetValue()); err != nil {
				return nil, err
			}
		}
		versions = append(versions, version)
	}
	return versions, nil
}

// WhoAmI returns the caller's MSP and ID.
func (c *AssetContract) WhoAmI(ctx contractapi.TransactionContextInterface) (string, error) {
	mspID, err := ctx.GetClientIdentity().GetMSPID()
	if err != nil {
		return "", err
	}
	id, err := ctx.GetClientIdentity().GetID()
	if err != nil {
		return "", err
	}
	return mspID + " " + id, nil
}

func put(ctx contractapi.TransactionContextInterface, asset *Asset) error {
	value, err := json.Marshal(asset)
	if err != nil {
		return err
	}
	return ctx.GetStub().PutState(asset.ID, value)
}

func putWithEvent(ctx contractapi.TransactionContextInterface, event string, asset *Asset) error {
	value, err := json.Marshal(asset)
	if err != nil {
		return err
	}
	if err := ctx.GetStub().PutState(asset.ID, value); err != nil {
		return err
	}
	return ctx.GetStub().SetEvent(event, value)
}

func parse(value []byte) (*Asset, error) {
	asset := new(Asset)
	if err := json.Unmarshal(value, asset); err != nil {
		return nil, fmt.Errorf("parse asset: %w", err)
	}
	return asset, nil
}
