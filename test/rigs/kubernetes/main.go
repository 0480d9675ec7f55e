// One program with five names: the control plane of a Kubernetes cluster, its store and its client, as the tests
// need them. The first argument, or the name of the link that it is called by, says which part runs. They share nearly all of
// their code, so that one binary is a fifth of the size, and of the build time, of five.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // time zones of CronJobs, on machines that have none

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var parts = map[string]func() int{
	"etcd":                    etcd,
	"kube-apiserver":          component(apiserver.NewAPIServerCommand),
	"kube-controller-manager": component(controllermanager.NewControllerManagerCommand),
	"kube-scheduler":          component(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubectl":                 runKubectl,
}

func main() {
	part, called := parts[filepath.Base(os.Args[0])]
	if !called && len(os.Args) > 1 {
		if part, called = parts[os.Args[1]]; called {
			os.Args = os.Args[1:]
		}
	}
	if !called {
		fmt.Fprintln(os.Stderr, "usage: <program> etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubectl [arguments]")
		os.Exit(2)
	}
	os.Exit(part())
}

func component(command func() *cobra.Command) func() int {
	return func() int { return cli.Run(command()) }
}

func runKubectl() int {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}

// etcd is called as its own program is, with nothing but a configuration file, and serves until it is told to end.
func etcd() int {
	file, found := "", false
	if len(os.Args) == 2 {
		file, found = strings.CutPrefix(os.Args[1], "--config-file=")
	}
	if !found {
		fmt.Fprintln(os.Stderr, "usage: etcd --config-file=<path>")
		return 2
	}
	config, err := embed.ConfigFromFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd: the configuration cannot be read:", err)
		return 1
	}
	server, err := embed.StartEtcd(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd: cannot start:", err)
		return 1
	}
	defer server.Close()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(60 * time.Second):
		fmt.Fprintln(os.Stderr, "etcd: not ready after 60 s")
		return 1
	}
	select {
	case <-ended:
		return 0
	case err := <-server.Err():
		fmt.Fprintln(os.Stderr, "etcd:", err)
		return 1
	case <-server.Server.StopNotify():
		return 1
	}
}
