// A client in Go, generated from the public protocol buffers: main ADDRESS MODEL
//
// MODEL adds and multiplies a and b (two_inputs.onnx). Prints one line of JSON per step.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"weir.test/v2client/v2pb"
)

const patience = 60 * time.Second

func raw(values []float32) []byte {
	buffer := new(bytes.Buffer)
	for _, value := range values {
		_ = binary.Write(buffer, binary.LittleEndian, value)
	}
	return buffer.Bytes()
}

func request(model, id string, typed bool) *v2pb.ModelInferRequest {
	a, b := []float32{1, 2, 3, 4}, []float32{5, 6, 7, 8}
	result := &v2pb.ModelInferRequest{ModelName: model, Id: id}
	for i, values := range [][]float32{a, b} {
		tensor := &v2pb.ModelInferRequest_InferInputTensor{
			Name: string(rune('a' + i)), Datatype: "FP32", Shape: []int64{2, 2}}
		if typed {
			tensor.Contents = &v2pb.InferTensorContents{Fp32Contents: values}
		} else {
			result.RawInputContents = append(result.RawInputContents, raw(values))
		}
		result.Inputs = append(result.Inputs, tensor)
	}
	return result
}

func check(answer *v2pb.ModelInferResponse, id string) error {
	if answer.GetId() != id {
		return fmt.Errorf("id is %q, not %q", answer.GetId(), id)
	}
	wanted := map[string][]float32{"sum": {6, 8, 10, 12}, "product": {5, 12, 21, 32}}
	if len(answer.Outputs) != 2 || len(answer.RawOutputContents) != 2 {
		return fmt.Errorf(
			"%d outputs, %d raw contents", len(answer.Outputs), len(answer.RawOutputContents))
	}
	for i, output := range answer.Outputs {
		for j, value := range wanted[output.Name] {
			bits := binary.LittleEndian.Uint32(answer.RawOutputContents[i][4*j:])
			if got := math.Float32frombits(bits); got != value {
				return fmt.Errorf("%s[%d] is %v, not %v", output.Name, j, got, value)
			}
		}
	}
	return nil
}

func stream(context context.Context, client v2pb.GRPCInferenceServiceClient, model string) error {
	calls, err := client.ModelStreamInfer(context)
	if err != nil {
		return err
	}
	names := []string{model, "no-such-model", model}
	for i, name := range names {
		if err := calls.Send(request(name, fmt.Sprint(i), false)); err != nil {
			return err
		}
	}
	if err := calls.CloseSend(); err != nil {
		return err
	}
	for i, name := range names {
		answer, err := calls.Recv()
		if err != nil {
			return err
		}
		if name != model {
			if answer.GetErrorMessage() == "" {
				return fmt.Errorf("the bad request got no error_message")
			}
		} else if err := check(answer.GetInferResponse(), fmt.Sprint(i)); err != nil {
			return err
		}
	}
	if _, err := calls.Recv(); err != io.EOF {
		return fmt.Errorf("after the last answer came %v", err)
	}
	return nil
}

func main() {
	address, model := os.Args[1], os.Args[2]
	channel, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer channel.Close()
	client := v2pb.NewGRPCInferenceServiceClient(channel)
	background, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	infer := func(typed bool) error {
		answer, err := client.ModelInfer(background, request(model, "r1", typed))
		if err != nil {
			return err
		}
		return check(answer, "r1")
	}
	steps := []struct {
		name string
		run  func() error
	}{
		{"ready", func() error {
			answer, err := client.ServerReady(background, &v2pb.ServerReadyRequest{})
			if err == nil && !answer.GetReady() {
				err = fmt.Errorf("not ready")
			}
			return err
		}},
		{"metadata", func() error {
			answer, err := client.ModelMetadata(background, &v2pb.ModelMetadataRequest{Name: model})
			if err == nil && len(answer.GetInputs()) != 2 {
				err = fmt.Errorf("%d inputs", len(answer.GetInputs()))
			}
			return err
		}},
		{"infer with raw contents", func() error { return infer(false) }},
		{"infer with typed contents", func() error { return infer(true) }},
		{"unknown model", func() error {
			_, err := client.ModelInfer(background, request("no-such-model", "r1", false))
			if status.Code(err) != codes.NotFound {
				return fmt.Errorf("%v, not NotFound", err)
			}
			return nil
		}},
		{"stream", func() error { return stream(background, client, model) }},
	}
	failed := false
	for _, step := range steps {
		detail := ""
		if err := step.run(); err != nil {
			detail, failed = err.Error(), true
		}
		line, _ := json.Marshal(map[string]any{
			"step": step.name, "ok": detail == "", "detail": detail})
		fmt.Println(string(line))
	}
	if failed {
		os.Exit(1)
	}
}
