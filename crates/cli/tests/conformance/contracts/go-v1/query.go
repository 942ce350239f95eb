package main

import (
	"strconv"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/shim"
	"github.com/hyperledger/fabric-protos-go/peer"
)

func init() {
	register(map[string]function{
		"Range":           {parameters: 2, call: rangeAll},
		"RangeCount":      {parameters: 2, call: rangeCount},
		"RangeFirst":      {parameters: 3, call: rangeFirst},
		"RangeLeftOpen":   {parameters: 3, call: rangeLeftOpen},
		"RangePage":       {parameters: 4, call: rangePage},
		"RangeThenPut":    {parameters: 3, call: rangeThenPut},
		"PageThenPut":     {parameters: 3, call: pageThenPut},
		"PutComposite":    {parameters: 2, more: true, call: putComposite},
		"GetComposite":    {parameters: 1, more: true, call: getComposite},
		"DeleteComposite": {parameters: 1, more: true, call: deleteComposite},
		"CompositeRange":  {parameters: 1, more: true, call: compositeRange},
		"CompositePage":   {parameters: 3, more: true, call: compositePage},
		"SplitComposite":  {parameters: 1, more: true, call: splitComposite},
		"History":         {parameters: 1, call: history},
		"Query":           {parameters: 1, call: query},
		"QueryPage":       {parameters: 3, call: queryPage},
	})
}

type row struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type page struct {
	Rows     []row  `json:"rows"`
	Fetched  int32  `json:"fetched"`
	Bookmark string `json:"bookmark"`
}

type version struct {
	TxID      string `json:"txId"`
	Value     string `json:"value"`
	Timestamp string `json:"timestamp"`
	IsDelete  bool   `json:"isDelete"`
}

// rangeAll: start, end. Answers the rows.
func rangeAll(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetStateByRange(p[0], p[1])
	if err != nil {
		return nil, err
	}
	return drain(rows)
}

// rangeCount: start, end. Answers how many rows there are, reading them all.
func rangeCount(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetStateByRange(p[0], p[1])
	if err != nil {
		return nil, err
	}
	found, err := drain(rows)
	return len(found), err
}

// rangeFirst: start, end, count. Reads that many rows, then closes the iterator.
func rangeFirst(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetStateByRange(p[0], p[1])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return take(rows, p[2])
}

// rangeLeftOpen: start, end, count. Reads that many rows and leaves the iterator open.
func rangeLeftOpen(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetStateByRange(p[0], p[1])
	if err != nil {
		return nil, err
	}
	return take(rows, p[2])
}

// rangePage: start, end, size, bookmark.
func rangePage(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	size, err := strconv.Atoi(p[2])
	if err != nil {
		return nil, err
	}
	rows, metadata, err := stub.GetStateByRangeWithPagination(p[0], p[1], int32(size), p[3])
	return pageOf(rows, metadata, err)
}

// rangeThenPut: start, end, key. Counts a range and writes the count: another transaction that changes the range
// meanwhile makes it a phantom read.
func rangeThenPut(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	count, err := rangeCount(stub, p[:2])
	if err != nil {
		return nil, err
	}
	return count, stub.PutState(p[2], []byte(strconv.Itoa(count.(int))))
}

// pageThenPut: start, end, key. Reads a page, then writes, which no transaction may.
func pageThenPut(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	if _, err := rangePage(stub, []string{p[0], p[1], "2", ""}); err != nil {
		return nil, err
	}
	return nil, stub.PutState(p[2], []byte("written"))
}

// putComposite: value, object type, attributes.
func putComposite(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	key, err := stub.CreateCompositeKey(p[1], p[2:])
	if err != nil {
		return nil, err
	}
	return nil, stub.PutState(key, []byte(p[0]))
}

// getComposite: object type, attributes.
func getComposite(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	key, err := stub.CreateCompositeKey(p[0], p[1:])
	if err != nil {
		return nil, err
	}
	return get(stub, []string{key})
}

// deleteComposite: object type, attributes.
func deleteComposite(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	key, err := stub.CreateCompositeKey(p[0], p[1:])
	if err != nil {
		return nil, err
	}
	return nil, stub.DelState(key)
}

// compositeRange: object type, first attributes. Answers the rows.
func compositeRange(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetStateByPartialCompositeKey(p[0], p[1:])
	if err != nil {
		return nil, err
	}
	return drain(rows)
}

// compositePage: size, bookmark, object type, first attributes.
func compositePage(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	size, err := strconv.Atoi(p[0])
	if err != nil {
		return nil, err
	}
	rows, metadata, err := stub.GetStateByPartialCompositeKeyWithPagination(p[2], p[3:], int32(size), p[1])
	return pageOf(rows, metadata, err)
}

// splitComposite: object type, attributes. Joins them to a key and takes it apart again.
func splitComposite(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	key, err := stub.CreateCompositeKey(p[0], p[1:])
	if err != nil {
		return nil, err
	}
	objectType, attributes, err := stub.SplitCompositeKey(key)
	return map[string]any{"type": objectType, "attributes": attributes}, err
}

// history: key. Answers its versions, newest first.
func history(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetHistoryForKey(p[0])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	versions := []version{}
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return nil, err
		}
		versions = append(versions, version{
			TxID:      row.GetTxId(),
			Value:     string(row.GetValue()),
			Timestamp: row.GetTimestamp().AsTime().Format(time.RFC3339Nano),
			IsDelete:  row.GetIsDelete(),
		})
	}
	return versions, nil
}

// query: a rich query.
func query(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	rows, err := stub.GetQueryResult(p[0])
	if err != nil {
		return nil, err
	}
	return drain(rows)
}

// queryPage: a rich query, size, bookmark.
func queryPage(stub shim.ChaincodeStubInterface, p []string) (any, error) {
	size, err := strconv.Atoi(p[1])
	if err != nil {
		return nil, err
	}
	rows, metadata, err := stub.GetQueryResultWithPagination(p[0], int32(size), p[2])
	return pageOf(rows, metadata, err)
}

// drain reads all rows and closes the iterator.
func drain(rows shim.StateQueryIteratorInterface) ([]row, error) {
	defer rows.Close()
	found := []row{}
	for rows.HasNext() {
		next, err := rows.Next()
		if err != nil {
			return nil, err
		}
		found = append(found, row{Key: next.GetKey(), Value: string(next.GetValue())})
	}
	return found, nil
}

// take reads at most so many rows.
func take(rows shim.StateQueryIteratorInterface, count string) ([]row, error) {
	limit, err := strconv.Atoi(count)
	if err != nil {
		return nil, err
	}
	found := []row{}
	for len(found) < limit && rows.HasNext() {
		next, err := rows.Next()
		if err != nil {
			return nil, err
		}
		found = append(found, row{Key: next.GetKey(), Value: string(next.GetValue())})
	}
	return found, nil
}

func pageOf(rows shim.StateQueryIteratorInterface, metadata *peer.QueryResponseMetadata, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	found, err := drain(rows)
	return page{Rows: found, Fetched: metadata.GetFetchedRecordsCount(), Bookmark: metadata.GetBookmark()}, err
}
